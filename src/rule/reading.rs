//! How bodies are read under the settings of one rule, and whether two rules read them alike.

use super::Settings;
use crate::{ConfigError, Media};

// === impl Settings ===

impl Settings {
    /// Whether the proven phone takes the place of the body's.
    pub(super) fn pins(&self) -> bool {
        self.pin_phone || self.canonical_body
    }

    /// # Errors
    ///
    /// `pin_phone` or `canonical_body`, of a rule with this name: bodies are accepted that cannot be handed on so.
    pub(super) fn check_handing_on(&self, rule: &str) -> Result<(), ConfigError> {
        if self.canonical_body && self.decode.hands_on_encoded() {
            let problem = "`decode` hands on encoded bytes, which are the client's own: use `HandOn::Decoded`";
            return Err(ConfigError::new("canonical_body", rule, problem));
        }
        if self.pin_phone && !self.can_pin() {
            let problem = "only JSON and forms that are not handed on encoded can be pinned: not gRPC, multipart, or a closure's bodies";
            return Err(ConfigError::new("pin_phone", rule, problem));
        }
        Ok(())
    }

    /// Whether every body that is read is one whose phone can be pinned.
    fn can_pin(&self) -> bool {
        let pinnable = |media: &Media| media.is_json() || *media == Media::Form;
        self.accept.iter().all(pinnable) && !self.decode.hands_on_encoded() && self.extractor.is_none()
    }

    /// Whether a body is read the same way under both: before the value is known that chooses between them.
    pub(super) fn reads_like(&self, other: &Self) -> bool {
        #[cfg(feature = "grpc")]
        let grpc_alike = self.grpc == other.grpc;
        #[cfg(not(feature = "grpc"))]
        let grpc_alike = true;
        self.body.bytes == other.body.bytes
            && self.body.deadline == other.body.deadline
            && self.body.budget.is(&other.body.budget)
            && self.accept == other.accept
            && self.other_phones == other.other_phones
            && self.decode == other.decode
            && match (&self.extractor, &other.extractor) {
                (Some(one), Some(other)) => one.is(other),
                (one, other) => one.is_none() && other.is_none(),
            }
            && self.canonical_body == other.canonical_body
            && self.ignore_query == other.ignore_query
            && grpc_alike
    }
}
