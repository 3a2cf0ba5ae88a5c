//! Whether a judgement is enforced.

/// What becomes of a refused request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is denied.
    #[default]
    Enforce,
    /// It reaches the inner service all the same, as it came.
    #[cfg_attr(not(test), expect(dead_code, reason = "no setting selects it yet"))]
    Observe,
}
