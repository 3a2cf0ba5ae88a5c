//! The passes in the headers of a request, which are removed before anything else reads them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::{settings::Overrides, spec::Rule};
use crate::{
    denial::{DenialReason, Refusal},
    headers::{NotOne, only},
    secret::Secret,
};

/// The passes in the headers of a request. Also a request extension, for the same layer further in.
#[derive(Clone)]
pub(crate) struct InHeaders(Arc<[(HeaderName, Result<Secret, &'static str>)]>);

// === impl InHeaders ===

impl InHeaders {
    /// `None` if none of the headers is there, or only empty ones.
    #[cold]
    pub(crate) fn of(headers: &HeaderMap, names: &[HeaderName]) -> Option<Self> {
        let read = |name: &HeaderName| {
            let value = match only(headers, name) {
                Ok(value) => value.filter(|value| !value.is_empty())?,
                Err(NotOne::Twice) => return Some(Err("a pass twice")),
                Err(NotOne::Aliased) => return Some(Err("a header like that of the pass")),
            };
            Some(value.to_str().map(Secret::from).map_err(|_| "a pass outside of ASCII"))
        };
        let found: Arc<[_]> = names.iter().filter_map(|name| Some((name.clone(), read(name)?))).collect();
        (!found.is_empty()).then_some(Self(found))
    }

    /// The pass in this header. `None` if it is not there.
    ///
    /// # Errors
    ///
    /// There are several passes in the headers, or the pass cannot be read.
    pub(super) fn only(&self, header: &HeaderName) -> Result<Option<&Secret>, Refusal> {
        let Some((_, own)) = self.0.iter().find(|(name, _)| name == header) else { return Ok(None) };
        match (&*self.0, own) {
            ([_], Ok(pass)) => Ok(Some(pass)),
            (_, Err(detail)) => Err(malformed(detail)),
            (_, Ok(_)) => Err(malformed(TWO_PLACES)),
        }
    }
}

/// The headers that passes of these rules may be in, if any has passes: `usual`, and those that the rules name.
pub(crate) fn pass_headers(rules: &[Rule], layer: &Overrides, usual: &HeaderName) -> Vec<HeaderName> {
    let each = || rules.iter().map(|rule| &rule.overrides).chain([layer]);
    if !each().any(|set| set.passes.as_ref().is_some_and(Option::is_some)) {
        return Vec::new();
    }
    let mut names = vec![usual.clone()];
    for field in each().filter_map(|set| set.pass_field.as_ref()?.as_ref()) {
        if let Some(name) = field.header_alone().and_then(|name| HeaderName::try_from(name).ok())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

pub(super) const TWO_PLACES: &str = "a pass in two places";

pub(super) fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(DenialReason::ProofMalformed).with_detail(detail)
}
