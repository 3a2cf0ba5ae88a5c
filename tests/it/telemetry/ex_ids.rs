//! An endpoint that repeats exIDs and then leaves one out is reported once.

use std::{collections::VecDeque, convert::Infallible, sync::Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_jverify::{Check, Credentials, ExId, JPush, Phone};

use super::Log;

const ECHO: &str = r#"{"code":9000,"exID":"ours"}"#;
const MUTE: &str = r#"{"code":9000}"#;
const MUTE_AND_REJECTED: &str = r#"{"code":9001}"#;

#[tokio::test]
async fn a_pass_without_the_ex_id_is_a_warning_once_for_each_endpoint_that_repeats_them() {
    let replies = [MUTE, ECHO, MUTE_AND_REJECTED, MUTE, MUTE, ECHO, MUTE].map(str::to_owned);
    let replies = std::sync::Arc::new(Mutex::new(VecDeque::from(replies)));
    let transport = tower::service_fn(move |_: Request<Full<Bytes>>| {
        let reply = replies.lock().unwrap().pop_front().unwrap();
        async move { Ok::<_, Infallible>(Response::new(reply)) }
    });
    let jpush = JPush::builder(Credentials::new("key", "secret").unwrap()).transport(transport).build().unwrap();
    let (log, _listening) = Log::listen();
    let ask = async |web: bool| {
        let check =
            Check::number("token", Phone::parse("13800000000").unwrap()).with_ex_id(ExId::parse("ours").unwrap());
        let check = if web { check.with_channel(tower_jverify::Channel::Web) } else { check };
        jpush.ask(check).await.unwrap();
        log.take_events()
    };
    // Nothing is known of the endpoint; it repeats; an answer that is not a pass does not count.
    for _ in 0..3 {
        assert_eq!(ask(false).await, Vec::<String>::new());
    }
    let events = ask(false).await;
    assert!(events.len() == 1 && events[0].starts_with("WARN"), "{events:?}");
    assert!(events[0].contains("/v2/web/verify") && events[0].contains("require_ex_id"), "{events:?}");
    // Once; and of another endpoint nothing is known yet.
    assert_eq!(ask(true).await, Vec::<String>::new());
    assert_eq!(ask(false).await, Vec::<String>::new());
    assert_eq!(ask(false).await, Vec::<String>::new());
}
