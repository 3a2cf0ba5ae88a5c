//! CASES 86, counted at JPush: clients that send requests and leave, over HTTP/1.1 and HTTP/2, through several listeners.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Layer;
use tower_jverify::{ClientIp, JPush, JVerifyLayer, Rule, number};

use super::support::{Conn, PHONE, Server, client, http};
use crate::support::{Application, http2, serve};

const IN_FLIGHT: usize = 16;

/// How many calls JPush works on, and the most there were: all, and those of each client, which its token names.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<HashMap<String, (usize, usize)>>>);

impl Desk {
    fn begin(&self, whose: &str) {
        let mut calls = self.0.lock().unwrap();
        let (now, most) = calls.entry(whose.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    fn end(&self, whose: &str) {
        self.0.lock().unwrap().get_mut(whose).unwrap().0 -= 1;
    }

    fn most(&self, whose: &str) -> usize {
        self.0.lock().unwrap().get(whose).map_or(0, |(_, most)| *most)
    }

    /// A JPush that is far slower than clients leave.
    async fn open(&self) -> Server {
        let desk = self.clone();
        Server::start(move |mut conn: Conn| {
            let desk = desk.clone();
            async move {
                while let Some(request) = conn.request().await {
                    let token = request.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
                    let whose = token.split('-').next().unwrap().to_owned();
                    desk.begin("all");
                    desk.begin(&whose);
                    sleep(Duration::from_millis(300)).await;
                    desk.end("all");
                    desk.end(&whose);
                    conn.write(http(200, r#"{"code":9000}"#)).await;
                }
            }
        })
        .await
    }
}

fn login(whose: &str, number: usize) -> String {
    format!(r#"{{"token":"{whose}-{number}","phone":"{PHONE}"}}"#)
}

/// Each at its own address, and of some everything behind the last slash changes.
const CLIENTS: [(&str, [&str; 3]); 4] = [
    ("v4", ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1:4711"]),
    ("v6", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "[2001:db8:1:2::3]:4711"]),
    ("other", ["192.0.2.2", "64:ff9b::192.0.2.2", "2002:c000:202::1"]),
    ("unknown", ["", "unknown", "_hidden"]),
];

/// Sends 32 logins of each client, each left after 1 to 50 ms.
async fn leave(addresses: [SocketAddr; 2], round: usize) {
    let mut requests = JoinSet::new();
    for (whose, from) in CLIENTS {
        let streams = [http2::<Full<Bytes>>(addresses[0]).await, http2(addresses[1]).await];
        for number in 0..32 {
            let (body, from) = (login(whose, number), from[number % from.len()]);
            let patience = Duration::from_millis(1 + ((number * 7 + round * 13) % 50) as u64);
            let address = addresses[number % 2];
            if number % 3 == 0 {
                let length = body.len();
                let head = "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
                let request = format!("{head}x-forwarded-for: {from}\r\ncontent-length: {length}\r\n\r\n{body}");
                requests.spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(request.as_bytes()).await.unwrap();
                    sleep(patience).await;
                });
            } else {
                let mut stream = streams[number % 2].clone();
                let request = http::Request::post(format!("http://{address}/login"))
                    .header("content-type", "application/json")
                    .header("x-forwarded-for", from)
                    .body(Full::from(body))
                    .unwrap();
                // Dropped, the response's future resets its stream.
                requests.spawn(async move { drop(timeout(patience, stream.send_request(request)).await) });
            }
        }
    }
    requests.join_all().await;
}

async fn bounds(layer: JVerifyLayer<JPush>, desk: &Desk, server: &Server, share: Option<usize>) {
    // A clone, and one that wraps a service which it has wrapped already.
    let addresses = [
        serve(layer.layer(Application::default())).await,
        serve(layer.clone().layer(layer.layer(Application::default()))).await,
    ];
    for round in 0..6 {
        leave(addresses, round).await;
    }
    layer.drained().await;
    let most = share.map_or(IN_FLIGHT, |share| CLIENTS.len() * share);
    assert!((most / 2..=most).contains(&desk.most("all")), "{} calls at the same time", desk.most("all"));
    for (whose, _) in CLIENTS {
        assert!(desk.most(whose) <= share.unwrap_or(IN_FLIGHT), "{whose}: {}", desk.most(whose));
    }
    // Every started check was finished, and its connection was reused.
    assert_eq!(desk.0.lock().unwrap()["all"].0, 0);
    assert!(server.connections() < 2 * IN_FLIGHT, "{} connections", server.connections());
}

#[tokio::test]
async fn clients_that_leave_never_have_more_calls_at_jpush_than_places() {
    let desk = Desk::default();
    let server = desk.open().await;
    let jpush = client(&server.url()).build().unwrap();
    let layer = JVerifyLayer::builder(jpush).rule(Rule::post("/login", number())).in_flight(IN_FLIGHT);
    bounds(layer.build().unwrap(), &desk, &server, None).await;
}

#[tokio::test]
async fn one_client_has_an_eighth_of_them_however_it_writes_its_address() {
    let desk = Desk::default();
    let server = desk.open().await;
    let jpush = client(&server.url()).build().unwrap();
    let rule = Rule::post("/login", number()).client_ip(ClientIp::forwarded(1));
    let layer = JVerifyLayer::builder(jpush).rule(rule).in_flight(IN_FLIGHT);
    bounds(layer.build().unwrap(), &desk, &server, Some(IN_FLIGHT / 8)).await;
}
