//! Tower middleware that verifies login and registration requests with JPush (Jiguang, 极光), a Chinese provider of phone-number
//! verification and captchas, before they reach your application.
//!
//! The [`Layer`](tower_layer::Layer) reads a proof from the request (a carrier's token with a phone number, or a captcha's answer)
//! and asks [JPush](https://docs.jiguang.cn) (号码认证, 行为验证). It then refuses the request or lets it through: the body
//! unchanged (unless `pin_phone` or `canonical_body` is set), with risk headers that no client can forge, and with a typed extension.
//!
//! ```
//! # #[cfg(feature = "sandbox")]
//! # fn main() -> Result<(), tower_jverify::ConfigError> {
//! use tower_jverify::{JVerifyLayer, Rule, Sandbox, captcha, number};
//!
//! // In production: JPush::builder(Credentials::from_env()?).build()?
//! let jpush = Sandbox::new().client().build()?;
//!
//! let layer = JVerifyLayer::builder(jpush)
//!     .rule(Rule::post("/login", number()))                     // token and phone from the body
//!     .rule(Rule::post("/register", captcha().then(number())))  // the captcha first: it is free
//!     .rule(Rule::post("/signin", captcha().or(number())))      // either of the two
//!     .build()?;
//! # let _ = layer;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sandbox"))]
//! # fn main() {}
//! ```
//!
//! The same layer wraps an axum router, a tonic server, a bare hyper service, or a proxy in front of any backend: see
//! `examples/`.
//!
//! # How a request is processed
//!
//! ```text
//! Request ─▶ Rule ─▶ Proof ─▶ Check ─▶ Verdict ─▶ Decision ─▶ inner service, or a Denial
//! ```
//!
//! | word | what it is |
//! |---|---|
//! | [`Rule`] | which requests are guarded (method, path, perhaps a body's value), and what they must prove |
//! | [`Ask`] | which checks, in which order, and in which [`Field`] each part of a proof is |
//! | [`Check`] | one question to JPush: a proof and its context |
//! | [`Verdict`] | the answer: a [`Class`], a code, an id, a [`Risk`] |
//! | [`Decision`] | what the [`Policy`] concludes from the verdicts; the request's extension |
//! | [`Denial`] | a refusal of any kind, as an answer for the client (HTTP or gRPC); the response's extension |
//!
//! A *verifier* answers checks: any `tower::Service<Check, Response = Verdict>`. `JPush` is one.
//!
//! Each of these words has a module with its reasons and examples: [`rule`], [`check`], [`verdict`], [`decision`], [`denial`],
//! [`layer`] and, with the feature `client`, `jpush`. The types that most applications need are re-exported here. On
//! docs.rs, the module `docs` contains the repository's pages, such as the policy, the security model and the code table.
//!
//! A request that no rule matches takes none of these steps: the layer removes forged headers and passes it directly to the
//! inner service, without an allocation.
//!
//! # Readiness
//!
//! While a check runs, the layer does not hold the inner service: a slow JPush must not take the application's concurrency
//! slots, and a denied request never takes one. So [`JVerify`] is always ready, like axum's `Router`, and drives a clone of
//! the inner service to readiness itself: in `call` for an unmatched request (in the future if it is not ready at once),
//! and after the decision for a guarded one. Therefore put load shedding and limits for the application *inside* of this
//! layer, and a CORS layer outside.
//!
//! # Features
//!
//! Settings exist in every build, and settings in code decide what is accepted. If a setting needs a missing feature,
//! `build()` returns a [`ConfigError`] that names the feature. Only items with another crate in their signature (`JPush`,
//! `Sandbox`, `around`) are missing without their feature.
//!
//! | feature | what it gives | what it costs |
//! |---|---|---|
//! | `client` (default) | `JPush` over HTTPS, with one-tap login | hyper, hyper-util, rustls, aws-lc-rs |
//! | `tracing` (default) | one event for every decision | `tracing` |
//! | `metrics` | counters, gauges and histograms of decisions and checks | `metrics` |
//! | `axum` | the extractors `Verified` and `Prove`, `JVerifyLayer::around`; `OriginalUri` (the path before nested routers) and `ConnectInfo` are read | `axum` without its defaults |
//! | `tonic` | the peer's address out of tonic's `TcpConnectInfo` | `tonic` without its defaults |
//! | `grpc` | the setting `accept(Media::Grpc)`: proofs out of gRPC messages | flate2, ruzstd |
//! | `grpc-descriptors` | the setting `descriptors`: a message's fields by name | prost, prost-reflect |
//! | `multipart` | the setting `accept(Media::Multipart)`: fields of `multipart/form-data` | multer |
//! | `decompression` | the setting `decode`: gzip, deflate, br, zstd | flate2, brotli-decompressor, ruzstd |
//! | `redis` | the setting `GuardsBuilder::redis`: claims, limits and budgets that several instances share | redis, futures-util, tokio-rustls |
//! | `serde` | `Serialize` of `Decided`, the record of a guarded request, for a decision log | serde |
//! | `platform-roots` | the setting `platform_roots`: the operating system's certificate roots | rustls-native-certs |
//! | `pass` | the settings `passes` (a proven number is not paid for again in the next request) and `assertion` (signed statements for a backend, which `pass::Verifier` checks) | jsonwebtoken, serde, aws-lc-rs |
//! | `sandbox` | the vendor's API in this process, for examples and tests | serde |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod body;
mod bytewise;
mod call_error;
pub mod check;
mod check_kind;
mod clock;
pub mod decision;
pub mod denial;
mod error;
mod ex_id;
mod exhaustion;
mod failure;
mod foreign_backend;
mod headers;
mod health;
mod invisible;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod jpush;
mod json;
mod judge;
pub mod layer;
mod log;
mod mac;
mod metric;
mod observe;
mod opaque;
pub mod pass;
mod path;
mod phone;
mod phone_grammar;
mod proof;
mod reading;
pub mod rule;
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub mod sandbox;
mod secret;
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "the settings of Redis exist in every build"))]
mod store;
pub mod verdict;

#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use self::jpush::{
    AskFuture, BoxJPush, BoxTransport, Credentials, Https, HttpsBody, HttpsFuture, JPush, JPushBuilder,
};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use self::layer::{Around, AroundFuture, ProveRejection, VerifiedRejection};
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub use self::sandbox::Sandbox;
pub use self::{
    body::{Coding, HandOn, RequestBody, ResponseBody},
    call_error::CallError,
    check::{Channel, Check, Question},
    check_kind::CheckKind,
    decision::{
        Action, Decision, DecisionReason, Fallback, Level, Policy, TrustedHeaders, TrustedHeadersError, Verified,
    },
    denial::{Cors, Denial, DenialReason, NextStep},
    error::ConfigError,
    ex_id::ExId,
    foreign_backend::{ForeignBackend, Suspicion},
    judge::{Breaker, BreakerState, ClientIp, Guards, GuardsBuilder, GuardsSnapshot, Limit, Prefix, StorePolicy},
    layer::{JVerify, JVerifyBuilder, JVerifyLayer, Prove, ResponseFuture},
    observe::{Decided, Pseudonym},
    pass::{Assertions, PassKey, Passes},
    phone::{ParsePhoneError, Phone},
    phone_grammar::PhoneGrammar,
    proof::{Extracted, Field, JsonTypes, Media, ParseFieldError},
    rule::{AnyOf, Ask, Captcha, Mode, Number, OneTap, Rollout, Rule, Unit, captcha, number, one_tap},
    secret::Secret,
    store::{Rate, Redis, RedisBuilder},
    verdict::{Class, Risk, Verdict},
};

/// The pages of the repository's folder `docs`.
///
/// | page | answers |
/// |---|---|
/// | [`policy`](docs::policy) | Which risk passes? What may take the place of a check? How to introduce the layer in shadow? |
/// | [`operating`](docs::operating), [中文](docs::operating_zh_cn) | What is in the log and the metrics, and what to alert on? What happens in an outage? |
/// | [`codes`](docs::codes), [中文](docs::codes_zh_cn) | What does a code of JPush mean, and what does the client get? |
/// | [`answers`](docs::answers) | What does a refused request get, and what does a client do with each code? |
/// | [`step_up`](docs::step_up), [中文](docs::step_up_zh_cn) | How does a client repeat a request without a second number check? |
/// | [`security_model`](docs::security_model) | What does the layer guarantee in front of which backend, and what not? |
/// | [`integrations`](docs::integrations) | How to mount it: axum, hyper, salvo, warp, tonic, sessions, tenants, another process |
/// | [`grpc`](docs::grpc) | How does a gRPC or gRPC-Web login prove itself? |
/// | [`scaling`](docs::scaling) | What do several instances share in Redis, and what does it cost? |
/// | [`data`](docs::data) | Where does personal data go? Which names do not change? |
/// | [`decision_log`](docs::decision_log) | What is in the record of a request, as JSON? |
/// | [`speed`](docs::speed) | What does the layer cost? |
/// | [`architecture`](docs::architecture), [`differences`](docs::differences), [`fuzzing`](docs::fuzzing) | For contributors: words, modules and contracts; where parsers differ; fuzz targets |
#[cfg(all(doc, not(doctest)))]
#[allow(rustdoc::invalid_rust_codeblocks, reason = "not all of their indented blocks are Rust")]
pub mod docs {
    #[doc = include_str!("../docs/ARCHITECTURE.md")]
    pub mod architecture {}
    #[doc = include_str!("../docs/answers.md")]
    pub mod answers {}
    #[doc = include_str!("../docs/assertion.md")]
    pub mod assertion {}
    #[doc = include_str!("../docs/codes.md")]
    pub mod codes {}
    #[doc = include_str!("../docs/codes.zh-CN.md")]
    pub mod codes_zh_cn {}
    #[doc = include_str!("../docs/data.md")]
    pub mod data {}
    #[doc = include_str!("../docs/decision-log.md")]
    pub mod decision_log {}
    #[doc = include_str!("../docs/differences.md")]
    pub mod differences {}
    #[doc = include_str!("../docs/fuzzing.md")]
    pub mod fuzzing {}
    #[doc = include_str!("../docs/grpc.md")]
    pub mod grpc {}
    #[doc = include_str!("../docs/integrations.md")]
    pub mod integrations {}
    #[doc = include_str!("../docs/operating.md")]
    pub mod operating {}
    #[doc = include_str!("../docs/operating.zh-CN.md")]
    pub mod operating_zh_cn {}
    #[doc = include_str!("../docs/step-up.zh-CN.md")]
    pub mod step_up_zh_cn {}
    #[doc = include_str!("../docs/policy.md")]
    pub mod policy {}
    #[doc = include_str!("../docs/scaling.md")]
    pub mod scaling {}
    #[doc = include_str!("../docs/security-model.md")]
    pub mod security_model {}
    #[doc = include_str!("../docs/speed.md")]
    pub mod speed {}
    #[doc = include_str!("../docs/step-up.md")]
    pub mod step_up {}
}

/// The READMEs' programs compile.
#[cfg(all(doctest, feature = "axum", feature = "client"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../README.zh-CN.md")]
pub struct Readme;

/// The programs of the document compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/policy.md")]
pub struct PolicyPage;

/// The programs of the document compile.
#[cfg(all(doctest, feature = "client", feature = "pass"))]
#[doc = include_str!("../docs/assertion.md")]
pub struct AssertionPage;

/// The programs of the document compile.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../docs/integrations.md")]
pub struct Integrations;
