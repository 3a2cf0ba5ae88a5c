//! Whether a judgement is enforced.

/// What happens to a refused request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is denied.
    #[default]
    Enforce,
    /// It still reaches the inner service, unchanged.
    #[cfg_attr(not(test), expect(dead_code, reason = "no setting selects it yet"))]
    Observe,
}
