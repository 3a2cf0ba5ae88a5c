//! A client that disconnects before its body is complete causes no check.

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Broken, channel, data, head, post_body};
use crate::support::{Guarded, LOGIN, http2, serve_one};

/// How a client ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Says that nothing more comes.
    Close,
    /// Breaks the connection.
    Reset,
}

#[tokio::test]
async fn a_body_that_is_cut_off_causes_no_check() {
    let whole = format!("{:x}\r\n{LOGIN}\r\n", LOGIN.len());
    for (what, request) in [
        (
            "a short Content-Length",
            format!("{}{LOGIN}", head("/login", &format!("content-length: {}", LOGIN.len() + 1))),
        ),
        ("no byte of the body", head("/login", "content-length: 10")),
        ("a cut chunk", format!("{}ff\r\n{LOGIN}", head("/login", "transfer-encoding: chunked"))),
        ("no last chunk", format!("{}{whole}", head("/login", "transfer-encoding: chunked"))),
        ("a cut last chunk", format!("{}{whole}0\r\n", head("/login", "transfer-encoding: chunked"))),
        ("a broken chunk size", format!("{}{whole}zz\r\n", head("/login", "transfer-encoding: chunked"))),
        ("cut trailers", format!("{}{whole}0\r\nx-a: b\r\n", head("/login", "transfer-encoding: chunked"))),
    ] {
        for end in [End::Close, End::Reset] {
            let guarded = Guarded::login();
            let (address, served) = serve_one(guarded.service()).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            match end {
                End::Close => {
                    stream.shutdown().await.unwrap();
                    let mut response = String::new();
                    let _ = stream.read_to_string(&mut response).await;
                    assert!(!response.starts_with("HTTP/1.1 2"), "{what}: {response}");
                }
                End::Reset => {
                    stream.set_zero_linger().unwrap();
                    drop(stream);
                }
            }
            served.await.unwrap();
            let reached = (guarded.verifier.calls(), guarded.application.runs());
            assert_eq!(reached, (0, 0), "{what}, {end:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_causes_no_check() {
    let guarded = Guarded::login();
    let (address, served) = serve_one(guarded.service()).await;
    let mut client = http2(address).await;
    let frames = [Ok(data(LOGIN)), Err(std::io::Error::other("reset"))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let request = Request::post(format!("http://{address}/login")).header("content-type", "application/json");
    let response = client.send_request(request.body(body).unwrap()).await;
    assert!(response.is_err() || response.unwrap().status() == 400);
    drop(client);
    served.await.unwrap();
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
}

#[tokio::test]
async fn a_whole_proof_in_a_body_that_breaks_is_refused() {
    let guarded = Guarded::login();
    let (frames, body) = channel();
    for frame in [Ok(data(LOGIN)), Err(Broken)] {
        frames.send(frame).unwrap();
    }
    guarded.refuses(post_body("/login", body), "body_malformed", "broken after the proof").await;
    let (frames, body) = channel();
    for frame in [Err(Broken), Ok(data(LOGIN))] {
        frames.send(frame).unwrap();
    }
    guarded.refuses(post_body("/login", body), "body_malformed", "broken at once").await;
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_refused() {
    let guarded = Guarded::login();
    let length = LOGIN.len();
    for lengths in
        [vec![(length + 1).to_string()], vec![(length - 1).to_string()], vec![length.to_string(), "7".into()]]
    {
        let frames = [Ok::<_, Broken>(Frame::data(Bytes::from_static(LOGIN.as_bytes())))];
        let mut request = post_body("/login", StreamBody::new(futures_util::stream::iter(frames)));
        for length in &lengths {
            request.headers_mut().append("content-length", length.parse().unwrap());
        }
        guarded.refuses(request, "body_malformed", &format!("{lengths:?}")).await;
    }
}
