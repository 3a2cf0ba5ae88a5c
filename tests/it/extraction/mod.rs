//! What counts as a proof. Everything that only resembles one is refused, without a check and before the application.

mod absent;
mod form;
mod head;
mod hidden_forms;
mod json;
mod media;
mod other_phones;
mod phones;
mod places;
mod proofs;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::support::Guarded;

/// `POST /login` with a form.
fn post_form(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
    request.body(Full::new(body.into())).unwrap()
}

/// Each body is refused with its code.
async fn refuses_each<'b>(
    guarded: &Guarded,
    request: impl Fn(&'static str) -> Request<Full<Bytes>>,
    bodies: impl IntoIterator<Item = (&'b str, &'static str)>,
) {
    for (code, body) in bodies {
        guarded.refuses(request(body), code, body).await;
    }
}
