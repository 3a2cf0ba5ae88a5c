//! A reverse proxy that verifies logins, in front of any backend.
//!
//! ```sh
//! cargo run --features sandbox,grpc,multipart,decompression --example hyper_proxy -- --sandbox
//! UPSTREAM_URL=http://127.0.0.1:8080 cargo run --features sandbox,grpc,multipart,decompression --example hyper_proxy -- --sandbox
//! ```
//!
//! Accepts HTTP/1.1 and prior-knowledge HTTP/2. Calls the backend with HTTP/1.1, and with HTTP/2 for gRPC. Streams bodies in both
//! directions, and forwards the trailers that a `Trailer` header lists. The backend trusts the `x-jverify-*` headers, so do not
//! expose it directly. The proxy removes each header whose name has other characters than letters, digits and dashes: a CGI-style
//! server reads `X_Real_IP` and `x.real.ip` as `X-Real-IP`.
//!
//! `TRUSTED_PROXIES` is the number of proxies in front that add to `X-Forwarded-For`. If it is not set, the client's address is not
//! known. `0`: the address is the peer's. `n`: it is the n-th address from the end of that header. The backend gets the last `n`
//! addresses of that header and the peer's address. A client cannot invent any of these.

use std::{convert::Infallible, error::Error, fmt::Display, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_TYPE, COOKIE, HOST, TE, TRAILER, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::{BodyExt, Either, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Incoming},
    service::{Service, service_fn},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_jverify::{
    ClientIp, Coding, Field, ForeignBackend, HandOn, JVerifyLayer, Media, Phone, RequestBody, Rule, captcha, number,
};

mod common;

/// How long the proxy waits after an accept error. Without free descriptors the next attempt would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// After so many connections in a row, the next error is logged as a new one. Near the limit of descriptors, errors alternate with
/// single connections.
const RECOVERED: u32 = 1_000;

/// Headers in which other proxies name the client's address. The backend gets only `X-Forwarded-For`.
const ADDRESSES: [&str; 17] = [
    "x-forwarded-for",
    "forwarded",
    "x-forwarded",
    "forwarded-for",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "remote-addr",
];

/// Clients of the backend: for HTTP/1.1, and for HTTP/2, which gRPC needs.
#[derive(Clone)]
struct Upstream {
    /// How many of the addresses in `X-Forwarded-For` are trusted.
    trusted_proxies: usize,
    http1: Client<HttpConnector, RequestBody<Incoming>>,
    grpc: Client<HttpConnector, RequestBody<Incoming>>,
}

/// The backend's body, or a line of text from the proxy.
type Answer = Response<Either<Incoming, Full<Bytes>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    common::log();
    let settings = common::Settings::read();

    let mut builder = JVerifyLayer::builder(settings.verifier())
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/h5/login", number().web()))
        .rule(Rule::post("/register", captcha().then(number())))
        .rule(Rule::post("/signin", captcha().or(number())))
        // Protobuf fields by their numbers.
        .rule(Rule::post("/accounts.Accounts/Login", number().token(Field::body("/1")).phone(Field::body("/2"))))
        .accept([Media::Json, Media::Form, Media::Multipart, Media::Grpc])
        .decode([Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd], HandOn::Decoded)
        // The layer rewrites JSON and forms, so that every parser of the backend reads the verified values.
        .canonical_body(true)
        .foreign_backend(ForeignBackend::any())
        .forward_phone(true);
    match settings.trusted_proxies {
        None => {}
        Some(0) => builder = builder.client_ip(ClientIp::peer()),
        Some(proxies) => builder = builder.client_ip(ClientIp::forwarded(proxies)),
    }
    let layer = builder.build()?;

    let backend = match &settings.upstream {
        Some(url) => backend(url).unwrap_or_else(|problem| common::end(&problem)),
        None => spawn_echo().await?,
    };
    let upstream = Upstream {
        trusted_proxies: settings.trusted_proxies.unwrap_or(0),
        http1: Client::builder(TokioExecutor::new()).build_http(),
        grpc: Client::builder(TokioExecutor::new()).http2_only(true).build_http(),
    };
    let proxy = ServiceBuilder::new().layer(layer).service_fn(move |request| {
        let (upstream, backend) = (upstream.clone(), backend.clone());
        async move { Ok::<_, Infallible>(forward(&upstream, &backend, request).await) }
    });

    let listener = TcpListener::bind(settings.listen).await?;
    common::print_what_to_try(&settings, listener.local_addr()?);
    serve(listener, TowerToHyperService::new(proxy)).await;
    Ok(())
}

/// `http://host:port` and nothing else. This example does not show TLS to a backend.
fn backend(url: &str) -> Result<Uri, String> {
    let uri = url.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http") && uri.path() == "/");
    uri.filter(|uri| uri.query().is_none())
        .ok_or_else(|| format!("`UPSTREAM_URL` is {url:?}: not as in http://127.0.0.1:8080"))
}

/// Without upgrades: after an upgrade the connection would use another protocol, which the layer does not guard.
async fn serve<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut accepted_in_a_row = RECOVERED;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if std::mem::take(&mut accepted_in_a_row) >= RECOVERED {
                    eprintln!("no connection can be accepted, and each attempt waits: {error}");
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        accepted_in_a_row = accepted_in_a_row.saturating_add(1);
        let service = service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            service.call(request)
        });
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // A client may shut its writing side down after the request and still read the answer. A client that is gone looks
            // the same until the answer is written.
            server.http1().timer(TokioTimer::new()).half_close(true);
            server.http2().timer(TokioTimer::new());
            // The only errors are clients that went away, and those that do not speak HTTP.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(upstream: &Upstream, backend: &Uri, request: Request<RequestBody<Incoming>>) -> Answer {
    let (mut parts, body) = request.into_parts();
    let Some(uri) = at_backend(backend, &parts.uri) else {
        return line(StatusCode::BAD_REQUEST, "a path starts with a slash");
    };
    parts.uri = uri;
    let is_grpc = parts.version == Version::HTTP_2
        && parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let client = if is_grpc { &upstream.grpc } else { &upstream.http1 };
    parts.headers = towards_backend(&parts, &body, is_grpc, upstream.trusted_proxies);
    parts.version = if is_grpc { Version::HTTP_2 } else { Version::HTTP_11 };

    match client.request(Request::from_parts(parts, body)).await {
        // The proxy forwards no upgrades, so a 101 is an error.
        Ok(response) if !response.status().is_informational() => {
            let (mut parts, body) = response.into_parts();
            parts.headers = end_to_end(&parts.headers, |_| true);
            parts.version = Version::default();
            Response::from_parts(parts, Either::Left(body))
        }
        Ok(_) => line(StatusCode::BAD_GATEWAY, "the backend switched protocols"),
        Err(error) => {
            eprintln!("the backend did not answer: {error}");
            line(StatusCode::BAD_GATEWAY, "the backend did not answer")
        }
    }
}

/// The path and query, unchanged, at the backend.
fn at_backend(backend: &Uri, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query().filter(|path| path.as_str().starts_with('/'))?;
    let mut parts = backend.clone().into_parts();
    parts.path_and_query = Some(path.clone());
    Uri::from_parts(parts).ok()
}

/// The headers for the backend, with exactly one framing: that of the current body.
fn towards_backend(request: &Parts, body: &impl Body, is_grpc: bool, trusted_proxies: usize) -> HeaderMap {
    let is_plain = |name: &HeaderName| name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // Hyper sets the host from the backend's URL.
    let is_kept = |name: &HeaderName| name != HOST && is_plain(name) && !ADDRESSES.contains(&name.as_str());
    let mut headers = end_to_end(&request.headers, is_kept);
    if let Some(addresses) = forwarded_for(request, trusted_proxies) {
        headers.insert("x-forwarded-for", addresses);
    }
    // Exactly one framing: hyper drops `Content-Length` if this is set, and sets it for every other body.
    let has_trailers = headers.contains_key(TRAILER);
    if !is_grpc && !body.is_end_stream() && (has_trailers || body.size_hint().exact().is_none()) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    // HTTP/2 may send cookies in pieces, HTTP/1.1 must not (RFC 9113, section 8.2.3).
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookies) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
        && !cookies.is_empty()
    {
        headers.insert(COOKIE, cookies);
    }
    // The client accepts trailers, and so does this proxy.
    let te = request.headers.get_all(TE).iter().filter_map(|te| te.to_str().ok()).flat_map(|te| te.split(','));
    if te.map(str::trim).any(|te| te.eq_ignore_ascii_case("trailers")) {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if !is_grpc {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
    headers
}

/// The last addresses of `X-Forwarded-For`, one for each trusted proxy, and the peer's address.
fn forwarded_for(request: &Parts, trusted_proxies: usize) -> Option<HeaderValue> {
    let peer = request.extensions.get::<SocketAddr>()?.ip().to_canonical().to_string();
    let lines: Vec<&[u8]> = request.headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    let from_the_end = lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    let mut addresses: Vec<&[u8]> = from_the_end.take(trusted_proxies).filter(|address| !address.is_empty()).collect();
    addresses.reverse();
    addresses.push(peer.as_bytes());
    HeaderValue::from_bytes(&addresses.join(&b", "[..])).ok()
}

/// Removes the headers that are for one connection only (RFC 9110, section 7.6.1). Keeps the order.
fn end_to_end(headers: &HeaderMap, is_kept: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    const FOR_ONE_CONNECTION: [&str; 8] = [
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
    ];
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    let stays = |name: &HeaderName| {
        !FOR_ONE_CONNECTION.contains(&name.as_str()) && name != "upgrade" && !listed.contains(name) && is_kept(name)
    };
    headers.iter().filter(|(name, _)| stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn line(status: StatusCode, text: impl Display) -> Answer {
    let mut response = Response::new(Either::Right(Full::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response
}

/// The built-in backend: `/echo` returns the body and its trailers, every other path returns what the headers say.
async fn spawn_echo() -> Result<Uri, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?).parse()?;
    let echo = service_fn(|request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let mut response = Response::new(UnsyncBoxBody::<Bytes, hyper::Error>::default());
        if parts.uri.path() == "/echo" {
            if let Some(trailer) = parts.headers.get(TRAILER) {
                response.headers_mut().insert(TRAILER, trailer.clone());
            }
            *response.body_mut() = body.boxed_unsync();
        } else {
            let phone =
                parts.headers.get("x-jverify-phone").and_then(|phone| phone.to_str().ok()?.parse::<Phone>().ok());
            let learnt = Full::from(common::learnt(phone, &parts.headers));
            *response.body_mut() = learnt.map_err(|never| match never {}).boxed_unsync();
        }
        Ok::<_, Infallible>(response)
    });
    tokio::spawn(serve(listener, echo));
    Ok(url)
}
