//! CASES 86, over real sockets: clients that send requests and leave cannot cause unlimited costs.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Layer;
use tower_jverify::{ClientIp, JVerifyLayer, Rule, number};

use super::Slow;
use crate::support::{Application, LOGIN, asking, http2, post_json, serve};

const IN_FLIGHT: usize = 16;
const HASTE: Duration = Duration::from_millis(20);

/// Far slower than a client leaves.
fn slow() -> Slow {
    Slow::taking(1_000)
}

fn layer(slow: &Slow, is_one_client: bool) -> JVerifyLayer<Slow> {
    let rule = Rule::post("/login", number());
    let rule = if is_one_client { rule.client_ip(ClientIp::from_fn(|_| Some([192, 0, 2, 1].into()))) } else { rule };
    asking(slow.clone()).rule(rule).in_flight(IN_FLIGHT).build().unwrap()
}

#[tokio::test]
async fn one_http2_connection_that_resets_its_streams_holds_no_more_than_its_places() {
    for (is_one_client, most) in [(false, IN_FLIGHT), (true, IN_FLIGHT / 8)] {
        let slow = slow();
        let layer = layer(&slow, is_one_client);
        let address = serve(layer.layer(Application::default())).await;
        let client = http2::<Full<Bytes>>(address).await;
        for _ in 0..8 {
            let mut streams = JoinSet::new();
            for _ in 0..IN_FLIGHT {
                let mut client = client.clone();
                let mut request = post_json("/login", LOGIN);
                *request.uri_mut() = format!("http://{address}/login").parse().unwrap();
                // Dropped, the response's future resets its stream.
                streams.spawn(async move { timeout(HASTE, client.send_request(request)).await.is_ok() });
            }
            streams.join_all().await;
        }
        layer.drained().await;
        assert_eq!(slow.most(), most, "one client: {is_one_client}");
        assert_eq!(slow.answered(), slow.started(), "one client: {is_one_client}");
    }
}

#[tokio::test]
async fn http1_clients_that_send_and_close_hold_no_more_than_their_places() {
    for (is_one_client, most) in [(false, IN_FLIGHT), (true, IN_FLIGHT / 8)] {
        let slow = slow();
        let layer = layer(&slow, is_one_client);
        let address = serve(layer.layer(Application::default())).await;
        let request = format!(
            "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{LOGIN}",
            LOGIN.len()
        );
        for _ in 0..8 {
            let mut connections = JoinSet::new();
            for _ in 0..IN_FLIGHT {
                let request = request.clone();
                connections.spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(request.as_bytes()).await.unwrap();
                    sleep(HASTE).await;
                });
            }
            connections.join_all().await;
        }
        layer.drained().await;
        assert_eq!(slow.most(), most, "one client: {is_one_client}");
        assert_eq!(slow.answered(), slow.started(), "one client: {is_one_client}");
    }
}
