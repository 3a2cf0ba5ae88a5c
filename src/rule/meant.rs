//! Finds the rules that a request may mean if it is not certain which one guards it.

use std::sync::Arc;

use http::{Method, Uri};

use super::{group::Group, place::Place, routes::Routes, state::RuleState};

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
        if uri.path_and_query().is_none() {
            // Only a tunnel has no path, and any request may follow in it.
            return self.all_groups().into_iter().flat_map(|group| group.states()).collect();
        }
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

// === impl Group ===

impl Group {
    /// The rule of a group that has only one. It applies even if the request cannot be read.
    #[cold]
    pub(crate) fn only_rule(&self) -> Option<&Arc<RuleState>> {
        let mut states = self.states();
        states.next().filter(|_| states.next().is_none())
    }
}
