//! placeholder front page
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod check;
mod error;
mod ex_id;
#[cfg(feature = "client")]
mod jpush;
mod observe;
mod path;
mod phone;
mod proof;
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub mod sandbox;
mod verdict;

#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use self::jpush::{AskFuture, CallError, Credentials, Https, HttpsFuture, JPush, JPushBuilder};
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub use self::sandbox::Sandbox;
pub use self::{
    check::{Channel, Check, CheckKind, Question},
    error::ConfigError,
    ex_id::ExId,
    phone::{Phone, PhoneGrammar},
    proof::{Field, Media},
    verdict::{Class, Risk, Verdict},
};
