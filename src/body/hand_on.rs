//! Which bytes of a compressed body the application gets.

use super::coding::Coding;
use crate::error::ConfigError;

/// Which bytes the application gets of a body that was decoded to be read: see [`Rule::decode`](crate::Rule).
///
/// There is no default, because each is wrong for some application.
///
/// ```
/// use tower_jverify::{Coding, HandOn, Rule, number};
///
/// let rule = Rule::post("/login", number()).decode([Coding::Gzip], HandOn::Decoded);
/// # let _ = rule;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandOn {
    /// The decoded bytes: what was read is what the application reads, whether it can decode or not.
    ///
    /// `Content-Length` is set, and `Content-Encoding`, `Content-MD5`, `Content-Digest`, `Repr-Digest` and `Digest` are
    /// removed, because they describe the encoded bytes.
    Decoded,
    /// The encoded bytes, as they came, with their headers: for an application that decodes every coding of the list itself, such
    /// as axum with `RequestDecompressionLayer`.
    ///
    /// **Danger:** this is no protection for a backend that does not decode. PHP's `php://input`, Node's request body and
    /// every reader without the coding take the encoded bytes for the body itself. A client can write other fields into them,
    /// for example in a stored block, and nothing verifies those.
    EncodedUnprotected,
}

/// The setting `decode`. The default decodes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoding {
    pub(crate) codings: Vec<Coding>,
    pub(crate) hand_on: HandOn,
}

// === impl Decoding ===

impl Decoding {
    /// # Errors
    ///
    /// `decode`: this build has no decoders.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if !self.codings.is_empty() && !cfg!(feature = "decompression") {
            return Err(ConfigError::feature("decode", format!("{:?}", self.codings), "decompression"));
        }
        Ok(())
    }

    /// Whether encoded bytes are read decoded, and handed on as they came.
    pub(crate) fn hands_on_encoded(&self) -> bool {
        !self.codings.is_empty() && self.hand_on == HandOn::EncodedUnprotected
    }
}

impl Default for Decoding {
    fn default() -> Self {
        Self { codings: Vec::new(), hand_on: HandOn::Decoded }
    }
}
