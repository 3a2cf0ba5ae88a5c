//! How specifically a rule names a method.

use http::Method;

use super::spec::{Methods, is_same};

/// How specifically a rule names a method, in any case: the method itself, `HEAD` by `GET`, any method. `None`: the rule does
/// not apply.
pub(super) fn nearness(methods: &Methods, method: Option<&Method>) -> Option<u8> {
    match (methods, method) {
        (Methods::Any, _) => Some(2),
        (Methods::Named(named), Some(method)) if is_same(named, method) => Some(0),
        (Methods::Named(named), Some(method)) if is_same(method, &Method::HEAD) && is_same(named, &Method::GET) => {
            Some(1)
        }
        (Methods::Named(_), _) => None,
    }
}

/// Methods compare without case; the standard ones are upper-case.
pub(super) fn canonical(method: &Method) -> Method {
    Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).unwrap_or_else(|_| method.clone())
}
