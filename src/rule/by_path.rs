//! The rules of a layer by their paths: which of them a request may mean.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;

use super::{
    nearness::nearness,
    place::Place,
    spec::{Methods, Rule},
    state::RuleState,
};
use crate::{
    error::ConfigError,
    path::{Meter, Pattern, RouteParameters, Table},
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
        by_pattern: &BTreeMap<Pattern, Vec<(&Rule, Arc<RuleState>)>>,
        spellings: bool,
        all: &[Arc<RuleState>],
    ) -> Result<Option<Self>, ConfigError> {
        // Also if it is the rule for every path: an enforced path must not be taken for one of its paths.
        if all.iter().all(|state| state.settings.shadow.is_none()) {
            return Ok(None);
        }
        let paths = by_pattern.iter().map(|(pattern, rules)| {
            let table = Table::build([(pattern.clone(), ())])?.foreign_backend(spellings);
            Ok((table, rules.iter().map(|(rule, state)| (rule.methods.clone(), Arc::clone(state))).collect()))
        });
        paths.collect::<Result<_, _>>().map(Self).map(Some)
    }

    /// The rules whose path the request may mean; for this method only, if it is certain.
    pub(super) fn meant(
        &self,
        method: Option<&Method>,
        place: Place<'_>,
        query: Option<(&str, &RouteParameters)>,
    ) -> Vec<&Arc<RuleState>> {
        let mut meters = place.meters(self.0.len());
        let is_meant = |table: &Table<()>, meters: &mut [Meter; 2]| {
            let in_query = |(query, parameters): (&str, &RouteParameters)| {
                self.0.len() > IN_QUERY || table.may_mean_in_query(query, parameters)
            };
            place.may_mean(table, meters) || query.is_some_and(in_query)
        };
        let mut meant = Vec::new();
        for (_, rules) in self.0.iter().filter(|(table, _)| is_meant(table, &mut meters)) {
            let is_for = |methods| method.is_none_or(|method| nearness(methods, Some(method)).is_some());
            meant.extend(rules.iter().filter(|(methods, _)| is_for(methods)).map(|(_, rule)| rule));
        }
        meant
    }
}
