//! What a policy does about the verifier's risk tags.

use super::action::Action;
use crate::{error::ConfigError, verdict::Risk};

/// The maximum number of tags.
const MOST: usize = 64;

/// The actions of a policy's tags, in the order of the tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TagActions(Vec<(Box<str>, Action)>);

// === impl TagActions ===

impl TagActions {
    pub(super) fn set(&mut self, tag: Box<str>, action: Action) {
        match self.find(&tag) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    *known = action;
                }
            }
            Err(at) => self.0.insert(at, (tag, action)),
        }
    }

    fn find(&self, tag: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(tag))
    }

    /// The worst action of these tags, if one of them has an action.
    pub(super) fn worst(&self, tags: &[Box<str>]) -> Option<(&str, Action)> {
        if self.0.is_empty() {
            return None;
        }
        let known = tags.iter().filter_map(|tag| self.find(tag).ok().and_then(|at| self.0.get(at)));
        known.max_by_key(|(_, action)| *action).map(|(tag, action)| (&**tag, *action))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Action)> {
        self.0.iter().map(|(tag, action)| (&**tag, *action))
    }

    /// # Errors
    ///
    /// `policy.tag`, when there are too many, or one is empty or too long.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.0.len() > MOST {
            return Err(ConfigError::new("policy.tag", self.0.len().to_string(), "at most 64 tags"));
        }
        for (tag, _) in self.iter() {
            if tag.is_empty() {
                return Err(ConfigError::new("policy.tag", tag, "an empty tag never matches"));
            }
            if tag.len() > Risk::TAG_BYTES {
                return Err(ConfigError::new("policy.tag", tag, "a tag of more than 64 bytes never matches"));
            }
        }
        Ok(())
    }
}
