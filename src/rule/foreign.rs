//! The tables for a backend that may ignore the method, and the parameters by which it may route.

use std::collections::BTreeSet;

use super::place::Place;
use crate::{
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
    path::{Found, Meter, Pattern, RouteParameters, Table},
};

/// Additional tables for a backend that may ignore the method.
pub(super) struct Foreign {
    /// Every pattern, for all methods: most requests match none of them. Several tables if one table cannot hold them all.
    paths: Vec<Table<usize>>,
    /// How many patterns there are.
    patterns: usize,
    pub(super) parameters: Option<RouteParameters>,
    /// Whether methods that no rule of a path names are refused.
    pub(super) is_strict: bool,
}

// === impl Foreign ===

impl Foreign {
    /// # Errors
    ///
    /// As [`RouteParameters::of`].
    pub(super) fn new<'p>(
        patterns: impl Iterator<Item = &'p Pattern>,
        foreign: &ForeignBackend,
    ) -> Result<Self, ConfigError> {
        let spellings = foreign.suspects(Suspicion::PathSpelling);
        // Patterns that differ only in the names of their parameters are equal here.
        let patterns: BTreeSet<Pattern> = patterns.map(Pattern::renamed).collect();
        let count = patterns.len();
        let build = |patterns: Vec<Pattern>| Table::build(patterns.into_iter().zip(0_usize..));
        let paths = if let Ok(table) = build(patterns.iter().cloned().collect()) {
            vec![table]
        } else {
            // `/{x}` for one method and `/{*rest}` for another: one table cannot hold both.
            let (exact, others): (Vec<_>, Vec<_>) = patterns.into_iter().partition(Pattern::is_exact);
            let each = others.into_iter().map(|pattern| vec![pattern]);
            [exact].into_iter().chain(each).filter_map(|patterns| build(patterns).ok()).collect()
        };
        Ok(Self {
            paths: paths.into_iter().map(|table| table.foreign_backend(spellings)).collect(),
            patterns: count,
            parameters: RouteParameters::of(foreign)?,
            is_strict: foreign.suspects(Suspicion::OtherMethod),
        })
    }

    /// Whether a method has all patterns in its table. A search among them for all methods then finds what it finds there.
    #[inline]
    pub(super) fn has_no_more_than<T>(&self, table: &Table<T>) -> bool {
        table.entries().len() == self.patterns
    }

    /// Whether a routing parameter names a guarded path: for any method, or only for that of the table if other methods pass.
    pub(super) fn is_in_query<T>(&self, table: &Table<T>, query: &str, meter: &mut Meter) -> bool {
        if self.is_strict {
            self.paths.iter().any(|paths| self.is_in_query_of(paths, query, meter))
        } else {
            self.is_in_query_of(table, query, meter)
        }
    }

    /// Whether a routing parameter names a path in a table.
    pub(super) fn is_in_query_of<T>(&self, table: &Table<T>, query: &str, meter: &mut Meter) -> bool {
        let parameters = self.parameters.as_ref();
        parameters.is_some_and(|parameters| !matches!(table.find_in_query(query, parameters, meter), Found::Nothing))
    }

    #[inline]
    pub(super) fn find(&self, place: Place<'_>, meter: &mut Meter) -> Found<'_, usize> {
        let found = self.paths.iter().map(|paths| place.find_within(paths, meter));
        found.fold(Found::Nothing, |all, one| match (all, one) {
            (Found::Nothing, one) => one,
            (Found::One(_), ambiguous @ Found::Ambiguous(_)) => ambiguous,
            (all, _) => all,
        })
    }
}
