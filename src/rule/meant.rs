//! Finds the rules that a request may mean if it is not certain which one guards it.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, Uri};

use super::{
    group::Group,
    place::Place,
    routes::{Entry, Routes, nearness},
    spec::Methods,
    state::RuleState,
};
use crate::{
    error::ConfigError,
    path::{Pattern, RouteParameters, Table, Work},
};

/// The rules of a layer by their paths, each path alone. Only for a layer with a rule that is not enforced for all requests.
pub(super) struct ByPath(Vec<(Table<()>, Vec<ForMethods>)>);

type ForMethods = (Methods, Arc<RuleState>);

/// With more paths than this, a query may mean all of them: each is searched for all its parameters.
const IN_QUERY: usize = 16;

// === impl ByPath ===

impl ByPath {
    /// # Errors
    ///
    /// As [`Table::build`].
    pub(super) fn of(
        by_pattern: &BTreeMap<Pattern, Vec<Entry<'_>>>,
        spellings: bool,
    ) -> Result<Option<Self>, ConfigError> {
        if by_pattern.values().flatten().all(|(_, state)| state.settings.shadow.is_none()) {
            return Ok(None);
        }
        let paths = by_pattern.iter().map(|(pattern, rules)| {
            let table = Table::build([(pattern.clone(), ())])?.foreign_backend(spellings);
            Ok((table, rules.iter().map(|(rule, state)| (rule.methods.clone(), Arc::clone(state))).collect()))
        });
        paths.collect::<Result<_, _>>().map(Self).map(Some)
    }

    fn meant(
        &self,
        method: Option<&Method>,
        place: Place<'_>,
        query: Option<(&str, &RouteParameters)>,
    ) -> Vec<&Arc<RuleState>> {
        let mut work = place.work(self.0.len());
        let is_meant = |table: &Table<()>, work: &mut [Work; 2]| {
            let in_query = |(query, parameters): (&str, &RouteParameters)| {
                self.0.len() > IN_QUERY || table.may_mean_in_query(query, parameters)
            };
            place.may_mean(table, work) || query.is_some_and(in_query)
        };
        let mut meant = Vec::new();
        for (_, rules) in self.0.iter().filter(|(table, _)| is_meant(table, &mut work)) {
            let is_for = |methods| method.is_none_or(|method| nearness(methods, Some(method)).is_some());
            meant.extend(rules.iter().filter(|(methods, _)| is_for(methods)).map(|(_, rule)| rule));
        }
        meant
    }
}

// === impl Routes ===

impl Routes {
    /// Whether a rule is not enforced for all requests.
    #[cold]
    pub(crate) fn have_modes(&self) -> bool {
        self.states().any(|state| state.settings.shadow.is_some())
    }

    /// All rules that a request may mean that no group guards for certain.
    #[cold]
    pub(crate) fn meant(&self, method: &Method, uri: &Uri, original: Option<&Uri>) -> Vec<&Arc<RuleState>> {
        let Some(by_path) = &self.by_path else { return self.every_states().collect() };
        let method = Some(method).filter(|_| !self.ignores_methods());
        let query = uri.query().zip(self.route_parameters());
        let mut meant = by_path.meant(method, Place::of(uri, original), query);
        meant.extend(self.every_states());
        meant
    }

    /// The other rules that a request of this group may mean to a backend that ignores the method.
    #[cold]
    pub(crate) fn others_meant(&self, group: &Group, uri: &Uri, original: Option<&Uri>) -> Vec<Arc<RuleState>> {
        let Some(by_path) = self.by_path.as_ref().filter(|_| self.ignores_methods()) else { return Vec::new() };
        let mut others = by_path.meant(None, Place::of(uri, original), None);
        others.retain(|rule| !group.states().any(|own| Arc::ptr_eq(own, rule)));
        others.into_iter().cloned().collect()
    }

    fn every_states(&self) -> impl Iterator<Item = &Arc<RuleState>> {
        self.every.iter().flat_map(|group| group.states())
    }
}
