//! The risk of a phone.

/// A phone's risk (风险分). Context, never proof.
///
/// ```
/// use tower_jverify::Risk;
///
/// assert_eq!(Risk::from_score(450, vec!["F24004".into()]).score(), Some(450));
/// assert_eq!(Risk::from_score(901, Vec::new()), Risk::Unknown);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// The risk was not requested.
    #[default]
    NotAsked,
    /// The risk was requested and not returned. This is **not** a low risk.
    Unknown,
    /// The risk was returned.
    Known {
        /// 0 (low) to 900 (high).
        score: u16,
        /// The vendor's opaque tags, unchanged.
        tags: Vec<Box<str>>,
    },
}

// === impl Risk ===

impl Risk {
    /// Creates a risk from a score from 0 to 900; other scores are [`Risk::Unknown`].
    pub fn from_score(score: i64, tags: Vec<Box<str>>) -> Self {
        match u16::try_from(score) {
            Ok(score @ 0..=900) => Self::Known { score, tags },
            _ => Self::Unknown,
        }
    }

    /// The score, if it is known.
    pub fn score(&self) -> Option<u16> {
        match self {
            Self::Known { score, .. } => Some(*score),
            Self::NotAsked | Self::Unknown => None,
        }
    }
}
