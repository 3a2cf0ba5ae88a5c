//! The bytes of a compressed body that the application receives.

use super::coding::Coding;
use crate::error::ConfigError;

/// The bytes that the application receives after the layer has decoded a body: see [`Rule::decode`](crate::Rule).
///
/// There is no default, because each choice is wrong for some application.
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
    /// The decoded bytes: the application reads what the layer has read, even if it cannot decode.
    ///
    /// `Content-Length` is set, and `Content-Encoding`, `Content-MD5`, `Content-Digest`, `Repr-Digest` and `Digest` are
    /// removed, because they describe the encoded bytes.
    Decoded,
    /// The unchanged encoded bytes, with their headers: for an application that decodes every listed coding itself, such
    /// as axum with `RequestDecompressionLayer`.
    ///
    /// **Danger:** this does not protect a backend that does not decode. PHP's `php://input`, Node's request body and every
    /// reader without the coding read the encoded bytes as the body. A client can write other fields into them, for example
    /// in a stored block, and the layer does not verify those.
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

    /// Whether bodies are decoded for reading, but passed on encoded.
    pub(crate) fn hands_on_encoded(&self) -> bool {
        !self.codings.is_empty() && self.hand_on == HandOn::EncodedUnprotected
    }
}

impl Default for Decoding {
    fn default() -> Self {
        Self { codings: Vec::new(), hand_on: HandOn::Decoded }
    }
}
