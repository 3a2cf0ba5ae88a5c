//! Settings exist in every build; a build without a feature refuses the settings that need it, and names the feature.
//!
//! The CI runs this with all features and without any. Without features the settings are refused; with all features they build.
#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_jverify::{
    Assertions, Check, Class, Coding, ConfigError, Denial, Field, HandOn, JVerifyBuilder, JVerifyLayer, Media, Passes,
    Prove, Rule, Verdict, Verified, number, one_tap,
};

type Answer = std::future::Ready<Result<Verdict, Infallible>>;
type Verifier = fn(Check) -> Answer;

#[allow(clippy::needless_pass_by_value, reason = "it is a service")]
fn pass(check: Check) -> Answer {
    std::future::ready(Ok(Verdict::new(check.kind(), Class::Passed)))
}

fn builder() -> JVerifyBuilder<tower::util::ServiceFn<Verifier>> {
    JVerifyLayer::builder(service_fn(pass as Verifier))
}

fn login() -> Rule {
    Rule::post("/login", number())
}

/// A private key of Ed25519: RFC 8410, section 10.3.
const PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\xd4\xee\x72\xdb\xf9\x13\x58\x4a\xd5\xb6\xd8\xf1\xf7\x69\xf8\xad\
                       \x3a\xfe\x7c\x28\xcb\xf1\xd4\xfb\xe0\x97\xa8\x8f\x44\x75\x58\x42";

fn assertions() -> Assertions {
    Assertions::ed25519("one", PKCS8).audience("accounts")
}

/// A `FileDescriptorSet` without a file.
const NO_FILES: &[u8] = b"";

#[test]
fn a_setting_whose_feature_is_missing_is_refused_by_name() {
    let by_numbers = || Rule::post("/a.B/Login", number().token(Field::body("/1")).phone(Field::body("/2")));
    for (built, setting, feature, is_on) in [
        (builder().rule(by_numbers().accept([Media::Grpc])).build().err(), "accept", "grpc", cfg!(feature = "grpc")),
        (
            builder().rule(login().accept([Media::Json, Media::Multipart])).build().err(),
            "accept",
            "multipart",
            cfg!(feature = "multipart"),
        ),
        (
            builder().rule(login()).accept([Media::Form, Media::Multipart]).build().err(),
            "accept",
            "multipart",
            cfg!(feature = "multipart"),
        ),
        (
            builder().rule(login().decode([Coding::Gzip], HandOn::Decoded)).build().err(),
            "decode",
            "decompression",
            cfg!(feature = "decompression"),
        ),
        (
            builder().rule(login()).decode([Coding::Zstd], HandOn::EncodedUnprotected).build().err(),
            "decode",
            "decompression",
            cfg!(feature = "decompression"),
        ),
        (
            builder().rule(login().client_streaming(true)).build().err(),
            "client_streaming",
            "grpc",
            cfg!(feature = "grpc"),
        ),
        (
            builder().rule(login()).descriptors(NO_FILES).build().err(),
            "descriptors",
            "grpc-descriptors",
            cfg!(feature = "grpc-descriptors"),
        ),
        (
            builder().rule(login().descriptors(NO_FILES)).build().err(),
            "descriptors",
            "grpc-descriptors",
            cfg!(feature = "grpc-descriptors"),
        ),
        (builder().rule(login()).assertion(assertions()).build().err(), "assertion", "pass", cfg!(feature = "pass")),
        (builder().rule(login().assertion(assertions())).build().err(), "assertion", "pass", cfg!(feature = "pass")),
        (assertions().jwks().err(), "assertion", "pass", cfg!(feature = "pass")),
    ] {
        check(built.as_ref(), setting, feature, is_on);
    }
    // What is wrong in every build is named in every build.
    let no_audience = Assertions::ed25519("one", PKCS8);
    assert_eq!(builder().rule(login()).assertion(no_audience).build().unwrap_err().setting(), "assertion.audience");
}

#[test]
fn passes_are_refused_where_their_feature_is_missing() {
    let passes = || Passes::hs256("a", "0123456789abcdef0123456789abcdef").audience("accounts");
    for built in [builder().passes(passes()).rule(login()).build(), builder().rule(login().passes(passes())).build()] {
        check(built.err().as_ref(), "passes", "pass", cfg!(feature = "pass"));
    }
    // What is wrong in every build is named first.
    let short = builder().passes(Passes::hs256("a", "short").audience("accounts")).rule(login()).build();
    assert!(!short.err().unwrap().to_string().contains("Cargo feature"));
}

#[test]
fn redis_is_refused_where_its_feature_is_missing() {
    let key = tower_jverify::Secret::from("9f8e7d6c5b4a39281706f5e4d3c2b1a0");
    let built = tower_jverify::Redis::builder("redis://127.0.0.1").deployment_key(key).build();
    check(built.err().as_ref(), "redis", "redis", cfg!(feature = "redis"));
}

/// A process chooses its provider of cryptography itself. This test is alone with its process: no other test here signs.
#[cfg(all(feature = "client", feature = "pass", feature = "redis"))]
#[tokio::test]
async fn no_setting_installs_anything_for_the_whole_process() {
    let credentials = tower_jverify::Credentials::new("app key", "secret").unwrap();
    drop(tower_jverify::JPush::builder(credentials).build().unwrap());
    let key = tower_jverify::Secret::from("9f8e7d6c5b4a39281706f5e4d3c2b1a0");
    drop(tower_jverify::Redis::builder("rediss://127.0.0.1").deployment_key(key).build().unwrap());

    let layer = builder().rule(login()).assertion(assertions()).build().unwrap();
    let application = service_fn(|request: Request<tower_jverify::RequestBody<Full<Bytes>>>| async move {
        let assertion = request.headers()["x-jverify-assertion"].clone();
        Ok::<_, Infallible>(
            Response::builder().header("x-jverify-assertion", assertion).body(Full::<Bytes>::default()).unwrap(),
        )
    });
    let body = r#"{"token":"t","phone":"13800000000"}"#;
    let request = || Request::post("/login").header("content-type", "application/json");
    let service = ServiceBuilder::new().layer(layer).service(application);
    let response = service.oneshot(request().body(Full::<Bytes>::from(body)).unwrap()).await.unwrap();
    let signed = request().header("x-jverify-assertion", &response.headers()["x-jverify-assertion"]);
    let verifier =
        tower_jverify::pass::Verifier::new(assertions().jwks().unwrap()).audience("accounts").build().unwrap();
    verifier.verify(&signed.body(()).unwrap().into_parts().0, body.as_bytes()).unwrap();

    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    // The only way to ask: it fails if something is installed.
    assert!(jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().is_ok());
}

#[cfg(feature = "client")]
#[test]
fn a_setting_of_the_client_whose_feature_is_missing_is_refused_by_name() {
    let credentials = tower_jverify::Credentials::new("app key", "secret").unwrap();
    let built = tower_jverify::JPush::builder(credentials).platform_roots().build().err();
    if cfg!(feature = "platform-roots") {
        // Whether this machine has any roots is another question.
        assert!(built.is_none_or(|error| !error.to_string().contains("feature")));
    } else {
        check(built.as_ref(), "platform_roots", "platform-roots", false);
    }
}

fn check(refused: Option<&ConfigError>, setting: &str, feature: &str, is_on: bool) {
    if is_on {
        assert_eq!(refused, None, "{setting}");
        return;
    }
    let error = refused.unwrap_or_else(|| panic!("`{setting}` builds without `{feature}`"));
    assert_eq!(error.setting(), setting);
    assert!(error.to_string().contains(&format!("the Cargo feature `{feature}`")), "{error}");
}

#[test]
fn what_needs_no_feature_builds_in_every_build() {
    assert!(builder().rule(login().decode([], HandOn::Decoded)).build().is_ok());
    assert!(builder().rule(Rule::post("/tap", one_tap())).build().is_ok());
    assert!(builder().rule(login().accept([Media::Json, Media::Form])).build().is_ok());
}

#[tokio::test]
async fn a_feature_alone_accepts_nothing_more() {
    let application = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let service = ServiceBuilder::new().layer(builder().rule(login()).build().unwrap()).service(application);
    let statuses = [
        (None, "application/json", r#"{"token":"t","phone":"13800000000"}"#, StatusCode::OK),
        (None, "multipart/form-data; boundary=x", "--x--\r\n", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (None, "application/grpc", "\0\0\0\0\0", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some("gzip"), "application/json", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (coding, media, body, status) in statuses {
        let request = Request::post("/login").header("content-type", media);
        let request = coding.into_iter().fold(request, |request, coding| request.header("content-encoding", coding));
        let response = service.clone().oneshot(request.body(Full::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{media} {coding:?}");
    }
}

#[cfg(feature = "tracing")]
#[test]
fn the_first_line_in_the_log_says_what_a_missing_feature_does_not_read() {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    // A call site that another thread meets for the first time at this moment may miss a new subscriber, so this is tried again.
    let build = || {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _listening = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
        drop(builder().rule(login()).build().unwrap());
        String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap()
    };
    let text = std::iter::repeat_with(build).take(10).find(|text| !text.is_empty()).unwrap_or_default();
    // The others are of clients that the rule does not know.
    assert_eq!(text.lines().filter(|line| line.contains("INFO")).count(), 1, "{text}");
    assert_eq!(text.contains("original path: not read;"), !cfg!(feature = "axum"), "{text}");
    let knows_a_server = cfg!(any(feature = "axum", feature = "tonic"));
    assert_eq!(text.contains("`ClientIp::peer()` reads `SocketAddr` only"), !knows_a_server, "{text}");
}

#[tokio::test]
async fn checks_on_demand_need_no_feature() {
    async fn login(
        request: Request<tower_jverify::RequestBody<Full<Bytes>>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let prove = request.extensions().get::<Prove>().cloned().expect("the rule is on demand");
        let answer: Result<Verified, Denial> = prove.now().await;
        Ok(match answer {
            Ok(verified) => Response::new(format!("{:?}", verified.phone()).into()),
            Err(denial) => Response::<Bytes>::from(denial).map(Full::new),
        })
    }
    let layer = builder().rule(self::login().on_demand()).build().unwrap();
    let service = ServiceBuilder::new().layer(layer).service(service_fn(login));
    for (body, status) in [(r#"{"token":"t","phone":"13800000000"}"#, 200), (r#"{"token":"t"}"#, 400)] {
        let request =
            Request::post("/login").header("content-type", "application/json").body(Full::from(body)).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status, "{body}");
    }
}
