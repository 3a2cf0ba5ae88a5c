//! Replaces key sets in builds without the feature `pass`, in which a key never exists.

use super::jws::Key;

pub(super) fn export<'k>(_: impl Iterator<Item = &'k Key>) -> String {
    String::new()
}
