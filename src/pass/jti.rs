//! The ids of signed texts.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// 128 random bits as 22 characters. No client can guess them, and no other text has them. `None` only if the operating system has no
/// randomness.
pub(super) fn fresh() -> Option<Box<str>> {
    let mut id = [0; 16];
    rand::fill(&mut id).ok()?;
    Some(URL_SAFE_NO_PAD.encode(id).into())
}
