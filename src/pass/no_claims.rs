//! Replaces the claims in builds without the feature `pass`, in which a key never exists.

use std::time::SystemTime;

use super::{jws::Key, subject::Subject};

pub(super) fn sign(key: &Key, _: (&str, &str), _: SystemTime, _: &Subject<'_>) -> Option<String> {
    match *key {}
}
