//! placeholder front page
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod body;
mod check;
mod decision;
mod denial;
mod error;
mod ex_id;
mod headers;
#[cfg(feature = "client")]
mod jpush;
mod layer;
mod observe;
mod path;
mod phone;
mod proof;
mod rule;
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub mod sandbox;
mod verdict;

#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use self::jpush::{AskFuture, CallError, Credentials, Https, HttpsFuture, JPush, JPushBuilder};
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use self::layer::axum;
#[cfg(feature = "one-tap")]
#[cfg_attr(docsrs, doc(cfg(feature = "one-tap")))]
pub use self::rule::one_tap;
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub use self::sandbox::Sandbox;
pub use self::{
    body::{RequestBody, ResponseBody},
    check::{Channel, Check, CheckKind, Question},
    decision::{Action, Decision, DecisionReason, Level, Policy},
    denial::{Denial, DenialReason},
    error::ConfigError,
    ex_id::ExId,
    layer::{JVerify, JVerifyBuilder, JVerifyLayer, ResponseFuture},
    phone::{Phone, PhoneGrammar},
    proof::{Field, Media},
    rule::{AnyOf, Ask, Captcha, ClientIp, Number, OneTap, Rule, captcha, number},
    verdict::{Class, Risk, Verdict},
};
