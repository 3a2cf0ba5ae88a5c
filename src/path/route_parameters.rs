//! Query parameters by which frameworks route: `ThinkPHP`'s `?s=/login` is `/login` whatever the path says.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::table::{Found, Table};
use crate::{ForeignBackend, Suspicion};

/// The names that are known, with whether a value counts only with a slash in front: `q` is also a search.
const USUAL: [(&str, bool); 7] = [
    ("s", false),
    ("r", false),
    ("route", false),
    ("rest_route", false),
    ("_url", false),
    ("_path", false),
    ("q", true),
];

/// The names of the parameters by which a backend may route.
#[derive(Debug)]
pub(crate) struct RouteParameters(Vec<(Box<str>, bool)>);

// === impl RouteParameters ===

impl RouteParameters {
    /// The usual names, or those that the user gives; `None` if this class is off.
    pub(crate) fn of(foreign: &ForeignBackend) -> Option<Self> {
        if !foreign.suspects(Suspicion::RouteParameter) {
            return None;
        }
        Some(Self(match foreign.own_route_parameters() {
            Some(names) => names.iter().map(|name| (name.clone(), false)).collect(),
            None => USUAL.map(|(name, rooted)| (name.into(), rooted)).into(),
        }))
    }

    fn get(&self, name: &str) -> Option<bool> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, rooted)| *rooted)
    }
}

// === impl Table ===

impl<T> Table<T> {
    /// What the routing parameters of a query mean, as paths: [`Found::One`] or [`Found::Ambiguous`] if any of them may be
    /// one in the table.
    pub(crate) fn find_in_query(&self, query: &str, parameters: &RouteParameters) -> Found<'_, T> {
        for pair in query.split(['&', ';']) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(rooted) = parameters.get(&decoded(name)) else { continue };
            let value = decoded(value);
            let path = match value.strip_prefix('/') {
                Some(_) => value,
                None if rooted => continue,
                None => format!("/{value}").into(),
            };
            match self.find(&path) {
                Found::Nothing => {}
                found => return found,
            }
        }
        Found::Nothing
    }
}

/// A query's text, decoded once.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
