//! Query parameters that carry the action that a framework runs, most of them in their *name*.
//!
//! | parameter | who runs `login` |
//! |---|---|
//! | `action:login` | Struts (`DefaultActionMapper`), in the namespace of the path |
//! | `_action_login` | Grails, in the controller of the path |
//! | `_action=login`, `_astroAction=login` | Astro's actions, whatever the path says |
//! | `login:method`, `login:action`, `:method=login` | Zope (`HTTPRequest.processInputs`), below the path |
//!
//! Each of them combines the action with the path in another way. So an action with the name of the last segment of a rule's path means
//! that rule.

use super::{
    foreign::is_mark,
    letters::simplest_of,
    meter::{Exhausted, Meter},
    segments::before,
    skeleton::Skeleton,
    words::is_parameter,
};

/// The prices of an action, and of each byte of it.
const ACTION: usize = 900;
const BYTE: usize = 20;

/// What Grails puts in front of an action.
const GRAILS: &str = "_action_";

/// Astro's parameters, whose value is the action.
const ASTRO: [&str; 2] = ["_action", "_astroAction"];

/// Types of Zope that make a parameter's name a part of the path.
const ZOPE: [&str; 4] = ["method", "action", "default_method", "default_action"];

/// The last segments of the paths in a table.
pub(super) struct Actions {
    /// In the simplest letters, whole and up to the first mark; sorted.
    sorted: Box<[Box<[u8]>]>,
    /// The last segment of some path is a parameter, so that every action may be one.
    any: bool,
}

// === impl Actions ===

impl Actions {
    pub(super) fn of<'k>(keys: impl Iterator<Item = &'k str>, beyond_ascii: bool) -> Self {
        let (mut sorted, mut any) = (Vec::new(), false);
        for key in keys {
            let last = key.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or_default();
            any |= last.is_empty() || is_parameter(last);
            let last = simplest_of(&last.replace("{{", "{").replace("}}", "}"), beyond_ascii);
            sorted.push(before(&last, is_mark).into());
            sorted.push(last.into_boxed_slice());
        }
        sorted.sort();
        sorted.dedup();
        Self { sorted: sorted.into(), any }
    }

    /// Whether some reading of an action is the last segment of a path.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn have(&self, action: &str, beyond_ascii: bool, meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.spend(ACTION + action.len() * BYTE)?;
        let skeleton = Skeleton::of(action, beyond_ascii, meter)?;
        let is_one = |text: &[u8]| self.sorted.binary_search_by(|known| (**known).cmp(text)).is_ok();
        let mut lasts = skeleton.texts().filter_map(|text| text.rsplit(|&byte| byte == b'/').find(|it| !it.is_empty()));
        Ok(lasts.any(|last| self.any || is_one(last) || is_one(before(last, is_mark))))
    }
}

/// Whether the name of a variable may carry an action.
#[inline]
pub(super) fn may_be_action(variable: &str) -> bool {
    variable.starts_with('_')
}

/// Whether the value of a parameter with this name is an action, if it carries any.
pub(super) fn is_in_value(name: &str) -> bool {
    let name = name.trim_start();
    name.starts_with(':') || is_astro(name)
}

fn is_astro(name: &str) -> bool {
    ASTRO.iter().any(|astro| astro.eq_ignore_ascii_case(name))
}

/// The action that a decoded parameter carries in its name, or as its value, as [`is_in_value`] says.
pub(super) fn action<'p>(name: &'p str, value: &'p str) -> Option<&'p str> {
    let name = name.trim_start();
    if let Some((prefix, action)) = name.split_at_checked(GRAILS.len())
        && prefix.eq_ignore_ascii_case(GRAILS)
    {
        return Some(action);
    }
    if is_astro(name) {
        return Some(value);
    }
    let at = name.bytes().position(|byte| byte == b':')?;
    let (first, types) = (name.get(..at)?, name.get(at + 1..)?);
    if first.eq_ignore_ascii_case("action") {
        return Some(types);
    }
    let is_run = types.split(':').any(|word| ZOPE.iter().any(|zope| zope.eq_ignore_ascii_case(word)));
    is_run.then_some(if first.is_empty() { value } else { first })
}
