//! placeholder front page
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod check;
mod error;
mod ex_id;
mod observe;
mod path;
mod phone;
mod proof;
mod verdict;

pub use self::{
    check::{Channel, Check, CheckKind, Question},
    error::ConfigError,
    ex_id::ExId,
    phone::{Phone, PhoneGrammar},
    proof::{Field, Media},
    verdict::{Class, Risk, Verdict},
};
