//! Parameters that make a backend run another method.
//!
//! Rails, Laravel, Symfony, Spring (`HiddenHttpMethodFilter`) and Express (`method-override`) run a POST as the method in its
//! parameter `_method`, Plack (`TunnelMethod`) as that in `x-tunneled-method`, from the body or the query; `WordPress` reads the
//! query of a GET (`WP_REST_Server::serve_request`). On a path whose rules differ in their methods, such a request could prove
//! what one rule requires, and run what another rule guards.

use percent_encoding::percent_decode_str;

use super::{media::Media, value::Unreadable};
use crate::{
    foreign_backend::Suspicion,
    headers::{aliases, overrides_method},
    json::Scanner,
};

pub(super) const ANOTHER_METHOD: Unreadable = Unreadable::Suspicious(
    Suspicion::OtherMethod,
    "the name of a parameter that changes the method, on a path whose rules differ in their methods",
);

/// Whether a parameter of a query, or of a form, makes some backend run another method.
pub(crate) fn names_a_method(query: &str) -> bool {
    query.split(['&', ';', '?']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        is_method(&percent_decode_str(&name).decode_utf8_lossy())
    })
}

/// Whether a decoded name makes some backend run another method: also as PHP, qs and Rack cut it.
pub(super) fn is_method(name: &str) -> bool {
    let name = name.trim_start_matches(['[', ']', ' ']);
    let name = name.split(['[', ']', '\0']).next().unwrap_or_default().trim();
    ["_method", "x-tunneled-method"].iter().any(|known| aliases(name, known)) || overrides_method(name)
}

/// Refuses JSON or a form in which a name makes some backend run another method. The parts of a multipart body are looked at
/// where they are read.
///
/// # Errors
///
/// The body has such a name, or is not JSON.
pub(super) fn check(media: &Media, body: &[u8]) -> Result<(), Unreadable> {
    let text = || std::str::from_utf8(body).map_err(|_| Unreadable::BodyMalformed("a body that is not UTF-8"));
    match media {
        Media::Form if names_a_method(text()?) => Err(ANOTHER_METHOD),
        Media::Json | Media::JsonTypes(_) => {
            let mut json = Scanner::new(text()?);
            if !json.eat(b'{') {
                return Ok(());
            }
            json.members(|json, key| if is_method(key) { Err(ANOTHER_METHOD) } else { Ok(json.skip(1)?) })
        }
        Media::Form | Media::Grpc | Media::Multipart => Ok(()),
    }
}
