//! The settings for reading bodies.

use crate::{
    body::{self, Decoding},
    error::ConfigError,
    proof::{Extractor, Media},
};

/// How a rule reads its requests. All rules of a path group must agree: the derived equality compares every
/// setting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) limits: body::Limits,
    pub(crate) accept: Vec<Media>,
    pub(crate) decode: Decoding,
    pub(crate) extractor: Option<Extractor>,
    pub(crate) other_phones: Vec<Box<str>>,
    pub(crate) canonical_body: bool,
    pub(crate) ignore_query: bool,
    pub(crate) grpc: super::grpc::Settings,
}

// === impl Settings ===

impl Settings {
    /// # Errors
    ///
    /// `pin_phone` or `canonical_body`, of the rule with this name, if it accepts bodies that cannot be changed in this
    /// way.
    pub(crate) fn check_handing_on(&self, pin_phone: bool, rule: &str) -> Result<(), ConfigError> {
        if self.canonical_body && self.decode.hands_on_encoded() {
            let problem = "`decode` hands on encoded bytes, which are the client's own: use `HandOn::Decoded`";
            return Err(ConfigError::new("canonical_body", rule, problem));
        }
        if pin_phone && !self.can_pin() {
            let problem = "only JSON and forms that are not handed on encoded can be pinned: not gRPC, multipart, or a closure's bodies";
            return Err(ConfigError::new("pin_phone", rule, problem));
        }
        Ok(())
    }

    /// Whether the phone can be pinned in every body that is read.
    fn can_pin(&self) -> bool {
        let pinnable = |media: &Media| media.is_json() || *media == Media::Form;
        self.accept.iter().all(pinnable) && !self.decode.hands_on_encoded() && self.extractor.is_none()
    }
}
