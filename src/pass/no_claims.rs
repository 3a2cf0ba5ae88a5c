//! In place of the claims, in a build without the feature `pass`: there is never a key.

use std::time::SystemTime;

use super::{jws::Key, subject::Subject};

pub(super) fn sign(key: &Key, _: (&str, &str), _: SystemTime, _: &Subject<'_>) -> Option<String> {
    match *key {}
}
