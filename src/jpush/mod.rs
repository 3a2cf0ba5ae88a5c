//! The JPush client. It works with and without the layer.
//!
//! A call costs money, spends the user's single-use token and cannot be repeated, and its answer can log a person in.
//! So this client is strict: TLS is always verified, redirects are not followed, and a request that may have been
//! sent is not sent again. A reply is read strictly where a pass depends on it, and leniently elsewhere. Texts of the
//! vendor are not passed on. A proof that no carrier or captcha issues is not sent.
//!
//! It is an ordinary `tower::Service<Check, Response = Verdict, Error = CallError>`; [`JPush::ask`] is the same call
//! under a timeout, for use alone:
//!
//! ```no_run
//! use tower_jverify::{Check, Credentials, JPush, Phone};
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let jpush = JPush::builder(Credentials::from_env()?).build()?;
//!
//! let phone: Phone = "13800000000".parse()?;
//! let verdict = jpush.ask(Check::number("the token of the client's SDK", phone)).await?;
//! println!("{} (code {:?}, risk {:?})", verdict.class(), verdict.code(), verdict.risk().score());
//! # Ok(())
//! # }
//! ```
//!
//! Any HTTP client that is a `tower::Service` can carry the calls; here one that answers by itself:
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use tower_jverify::{Check, Class, Credentials, JPush, Phone};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = tower::service_fn(|request: http::Request<Full<Bytes>>| async move {
//!     assert_eq!(request.uri().path(), "/v2/web/verify");
//!     let reply = br#"{"id":117270465679982592,"code":9000,"content":"verify consistent"}"#;
//!     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from_static(reply))))
//! });
//! let jpush = JPush::builder(Credentials::new("app key", "master secret")?).transport(transport).build()?;
//!
//! let verdict = jpush.ask(Check::number("token", Phone::parse("13800000000").unwrap())).await?;
//! assert_eq!(verdict.class(), Class::Passed);
//! # Ok(())
//! # }
//! ```

mod advice;
mod base_url;
mod boxed;
mod builder;
mod changing;
mod client;
mod codes;
mod collect;
mod credentials;
mod dial;
mod echo;
mod errors;
mod http1;
mod key_kind;
mod key_text;
#[cfg(feature = "sandbox")]
mod of_sandbox;
mod one_tap;
mod pool;
mod proof_bytes;
mod proxy;
mod reach;
mod reply;
mod request;
mod resolve;
mod route;
mod sandboxed;
mod spare;
mod stream;
mod transport;
mod wire;

pub use self::{
    boxed::{BoxJPush, BoxTransport},
    builder::JPushBuilder,
    client::{AskFuture, JPush},
    credentials::Credentials,
    transport::{Https, HttpsBody, HttpsFuture},
};

/// Any error, as Tower boxes it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
