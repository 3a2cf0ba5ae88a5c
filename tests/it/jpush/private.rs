//! Plain `http` beyond this machine needs the switch, and never reaches a public address.

use super::support::{PASS, Server, client, http, number};

#[tokio::test]
async fn by_the_switch_a_name_is_dialled_if_its_address_is_private() {
    // 127.0.0.1 and 8.8.8.8, as names: the resolver knows them without a network.
    let server = Server::answering(http(200, PASS)).await;
    let url = format!("http://2130706433:{}", server.port());
    assert_eq!(client(&url).build().unwrap_err().setting(), "base_url", "without the switch");
    let jpush = client(&url).danger_plain_http_to_private_hosts().build().unwrap();
    assert!(jpush.ask(number()).await.unwrap().class().is_pass());
    assert_eq!(server.requests().len(), 1);

    let jpush = client("http://134744072:4000").danger_plain_http_to_private_hosts().build().unwrap();
    let error = jpush.ask(number()).await.unwrap_err();
    assert!(error.is_connect() && error.nothing_sent(), "{error:?}");
    assert_eq!(error.cause(), "no connection: dns error");
    assert!(format!("{error:?}").contains("plain http must not go to the addresses of this name"), "{error:?}");
}
