//! placeholder front page
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod check;
mod error;
mod ex_id;
mod observe;
mod phone;
#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub mod sandbox;
mod verdict;

#[cfg(feature = "sandbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "sandbox")))]
pub use self::sandbox::Sandbox;
pub use self::{
    check::{Channel, Check, CheckKind, Question},
    error::ConfigError,
    ex_id::ExId,
    phone::{Phone, PhoneGrammar},
    verdict::{Class, Risk, Verdict},
};
