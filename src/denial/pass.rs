//! The pass that an answer carries.

use http::{HeaderMap, HeaderName, HeaderValue, header::CACHE_CONTROL};

use crate::secret::Secret;

/// A pass, and the header that carries it.
#[derive(Clone, Debug)]
pub(crate) struct IssuedPass {
    pub(super) header: HeaderName,
    /// Contains only letters, digits and `-_.`.
    pub(super) text: Secret,
}

// === impl IssuedPass ===

impl IssuedPass {
    /// `None` for a text with other characters. A pass never has any.
    pub(crate) fn new(header: &HeaderName, text: &Secret) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        text.expose().bytes().all(is_plain).then(|| Self { header: header.clone(), text: text.clone() })
    }

    /// Adds the pass, and replaces the answer's headers for caches, so that no cache stores the answer.
    pub(crate) fn insert_into(&self, headers: &mut HeaderMap) {
        let Ok(mut value) = HeaderValue::from_str(self.text.expose()) else { return };
        value.set_sensitive(true);
        headers.insert(self.header.clone(), value);
        let for_some_caches: Vec<_> = headers.keys().filter(|name| is_for_some_caches(name)).cloned().collect();
        for name in for_some_caches {
            headers.remove(name);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Whether some caches follow this header and ignore `Cache-Control`: a targeted field (RFC 9213) such as `CDN-Cache-Control`, or a
/// header of one proxy.
fn is_for_some_caches(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("-cache-control") || matches!(name, "surrogate-control" | "edge-control" | "x-accel-expires")
}
