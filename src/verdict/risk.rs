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
    /// The risk was returned. Created by [`Risk::from_score`] alone, so that the score is in its range.
    #[non_exhaustive]
    Known {
        /// 0 (low) to 900 (high).
        score: u16,
        /// The vendor's opaque tags, unchanged.
        tags: Vec<Box<str>>,
    },
}

// === impl Risk ===

impl Risk {
    /// The highest score.
    pub(crate) const HIGHEST: u16 = 900;

    /// The maximum number of tags of a request that are shown, so that the vendor cannot grow a header line without limit.
    pub(crate) const SHOWN_TAGS: usize = 16;

    /// The maximum number of bytes of a tag. A longer one is neither kept nor shown, and no policy can name it.
    pub(crate) const TAG_BYTES: usize = 64;

    /// Creates a risk from a score from 0 to 900; other scores are [`Risk::Unknown`].
    pub fn from_score(score: i64, tags: Vec<Box<str>>) -> Self {
        match u16::try_from(score) {
            Ok(score @ 0..=Self::HIGHEST) => Self::Known { score, tags },
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

    /// The tags that headers and records show: those of 1 to [`Risk::TAG_BYTES`] bytes. Together they show at most [`Risk::SHOWN_TAGS`].
    pub(crate) fn shown_tags(&self) -> impl Iterator<Item = &str> {
        let tags = match self {
            Self::Known { tags, .. } => tags.as_slice(),
            Self::NotAsked | Self::Unknown => &[],
        };
        tags.iter().map(|tag| &**tag).filter(|tag| (1..=Self::TAG_BYTES).contains(&tag.len()))
    }
}
