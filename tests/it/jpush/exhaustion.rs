//! If a dial fails because this process lacks a resource, the error says so.

use std::{net::TcpListener, time::Duration};

use tower_jverify::JPush;

use super::support::{client, credentials, number};

#[tokio::test]
async fn a_refused_port_and_an_unknown_name_are_not_for_want_of_anything() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{free}"), "https://jpush.invalid".to_owned()] {
        let error = client(&url).build().unwrap().ask(number()).await.unwrap_err();
        assert!(error.is_connect() && !error.is_exhausted(), "{error:?}");
    }
}

#[test]
fn a_lookup_that_finds_no_blocking_thread_is_for_want_of_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let occupied = tokio::task::spawn_blocking(move || wait.recv());
        let jpush = JPush::builder(credentials())
            .base_url("http://localhost:1")
            .connect_timeout(Duration::from_millis(200))
            .build()
            .unwrap();
        let error = jpush.ask(number()).await.unwrap_err();
        assert!(error.is_connect() && error.is_timeout() && error.is_exhausted(), "{error:?}");
        drop(release);
        let _ = occupied.await;
    });
}
