//! Whether a decision was enforced.

/// Whether a decision is enforced, or only recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Applied {
    /// A request that is refused does not reach the inner service.
    #[default]
    Enforced,
    /// Every request reaches the inner service.
    Shadow,
}

// === impl Applied ===

impl Applied {
    pub(crate) const ALL: [Self; 2] = [Self::Enforced, Self::Shadow];

    /// The word in the header, in events and in labels.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforce",
            Self::Shadow => "shadow",
        }
    }
}
