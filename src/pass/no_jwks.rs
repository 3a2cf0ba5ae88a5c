//! In place of key sets, in a build without the feature `pass`: there is never a key.

use super::jws::Key;

pub(super) fn export<'k>(_: impl Iterator<Item = &'k Key>) -> String {
    String::new()
}
