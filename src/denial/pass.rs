//! The pass that an answer carries.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::secret::Secret;

/// A pass, and the header that carries it.
#[derive(Clone, Debug)]
pub(crate) struct IssuedPass {
    pub(super) header: HeaderName,
    /// Letters, digits and `-_.` alone.
    pub(super) text: Secret,
}

// === impl IssuedPass ===

impl IssuedPass {
    /// `None` for a text that a header cannot carry, which no pass is.
    pub(crate) fn new(header: &HeaderName, text: &Secret) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        text.expose().bytes().all(is_plain).then(|| Self { header: header.clone(), text: text.clone() })
    }

    pub(crate) fn insert_into(&self, headers: &mut HeaderMap) {
        if let Ok(mut value) = HeaderValue::from_str(self.text.expose()) {
            value.set_sensitive(true);
            headers.insert(self.header.clone(), value);
        }
    }
}
