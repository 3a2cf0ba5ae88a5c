//! placeholder front page
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod body;
mod check;
mod check_kind;
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
    check::{Channel, Check, Question},
    check_kind::CheckKind,
    decision::{Action, Decision, DecisionReason, Level, Policy},
    denial::{Denial, DenialReason},
    error::ConfigError,
    ex_id::ExId,
    layer::{JVerify, JVerifyBuilder, JVerifyLayer, ResponseFuture},
    phone::{NotAPhone, Phone, PhoneGrammar},
    proof::{Field, Media},
    rule::{AnyOf, Ask, Captcha, ClientIp, Number, OneTap, Rule, captcha, number},
    verdict::{Class, Risk, Verdict},
};
