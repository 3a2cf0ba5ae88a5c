//! All rules of a layer, compiled: finds the group that guards a request by its method and path.
//!
//! There is one table per named method, and one for all other methods. Each table holds every pattern that has a rule for
//! its method, so one lookup finds the most specific pattern *that names the method*.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::{Method, Uri};

use super::{
    by_path::ByPath,
    foreign::Foreign,
    group::Group,
    limits,
    methods::Unnamed,
    nearness::{canonical, nearness},
    place::Place,
    resolved::{Settings, Shares},
    settings::Overrides,
    spec::{Methods, Rule, is_same},
    state::RuleState,
};
use crate::{
    denial,
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
    headers::Names,
    judge::Guards,
    path::{Found, Meter, Pattern, RouteParameters, Table},
};

/// All rules of a layer.
pub(crate) struct Routes {
    by_method: Vec<(Method, Table<Arc<Group>>)>,
    others: Table<Arc<Group>>,
    /// The group that guards paths without another rule.
    pub(super) every: Option<Arc<Group>>,
    /// Set if a foreign backend is configured.
    foreign: Option<Foreign>,
    has_paths: bool,
    /// Set if a rule is not enforced for all requests.
    pub(super) by_path: Option<ByPath>,
    states: Vec<Arc<RuleState>>,
    /// For refusals without a known rule.
    pub(crate) answers: Arc<denial::Settings>,
}

/// The group that guards a request.
pub(crate) enum Match<'r> {
    Nothing,
    Group(&'r Arc<Group>),
    /// The path has several readings, at least one of which is guarded.
    Ambiguous(Option<Suspicion>),
    /// The path is, or may be, guarded, but not for this method.
    /// Boxed: this is rare, and `Match` is returned for every request.
    Unnamed(Box<Unnamed<'r>>),
}

type Entry<'r> = (&'r Rule, Arc<RuleState>);

// === impl Routes ===

impl Routes {
    /// `before`: the rules that these replace in a reload.
    ///
    /// # Errors
    ///
    /// Names the invalid setting: no rules, a bad pattern, a tie, or what [`Settings::resolve`] and
    /// `Group::compile` refuse.
    pub(crate) fn compile(
        rules: &[Rule],
        layer: &Overrides,
        names: &Names,
        foreign: &ForeignBackend,
        guards: &Guards,
        before: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        if rules.is_empty() {
            return Err(ConfigError::unshown("rule", "a layer without a rule guards nothing"));
        }
        limits::names(rules)?;
        let shares = Shares::new(layer, guards, before.is_some())?;
        let spellings = foreign.suspects(Suspicion::PathSpelling);
        let mut by_pattern: BTreeMap<Pattern, Vec<Entry<'_>>> = BTreeMap::new();
        let mut every: Vec<Entry<'_>> = Vec::new();
        let mut states = Vec::with_capacity(rules.len());
        for rule in rules {
            if rule.preflight_passes && !rule.methods.may_be_options() {
                return Err(ConfigError::new(
                    "rule.preflight_passes",
                    rule.to_string(),
                    "this rule does not guard OPTIONS",
                )
                .of_rule(rule));
            }
            if let Some(own) = rule.other_methods.iter().find(|method| rule.methods.names(method)) {
                let problem = "the rule itself guards this method";
                return Err(ConfigError::new("rule.other_methods", own.as_str(), problem).of_rule(rule));
            }
            let name: Arc<str> = rule.to_string().into();
            let of_name = before.and_then(|before| before.state(&name));
            let settings =
                Settings::resolve(&name, &rule.overrides, layer, &shares).map_err(|error| error.of_rule(rule))?;
            let state = Arc::new(RuleState::new(name, settings, of_name));
            states.push(Arc::clone(&state));
            match &rule.path {
                Some(path) => {
                    let pattern = Pattern::parse(path).map_err(|error| error.of_rule(rule))?;
                    by_pattern.entry(pattern).or_default().push((rule, state));
                }
                None => every.push((rule, state)),
            }
        }
        let listed = rules.iter().filter_map(|rule| match &rule.methods {
            Methods::Named(method) => Some(canonical(method)),
            Methods::Any => None,
        });
        let mut methods: Vec<Method> = listed.collect();
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        methods.dedup();
        let by_method: Vec<(Method, Table<Arc<Group>>)> = methods
            .into_iter()
            .map(|method| {
                table(&by_pattern, Some(&method), names, foreign)
                    .map(|table| (method, table.foreign_backend(spellings)))
            })
            .collect::<Result<_, _>>()?;
        let routes = Self {
            by_method,
            others: table(&by_pattern, None, names, foreign)?.foreign_backend(spellings),
            every: group(&every, None, names, foreign)?,
            foreign: (*foreign != ForeignBackend::none())
                .then(|| Foreign::new(by_pattern.keys(), foreign))
                .transpose()?,
            has_paths: !by_pattern.is_empty(),
            by_path: ByPath::of(&by_pattern, spellings, &states)?,
            states,
            answers: shares.answers,
        };
        routes.check_unless(rules)?;
        Ok(routes)
    }

    /// Refuses a closure that has no effect because of other rules of its path.
    fn check_unless(&self, rules: &[Rule]) -> Result<(), ConfigError> {
        let groups = self.all_groups();
        let is_useless = |(rule, state): &(&Rule, &Arc<RuleState>)| {
            rule.unless.is_some() && !groups.iter().any(|group| group.heeds_unless_of(state))
        };
        match rules.iter().zip(&self.states).find(is_useless) {
            None => Ok(()),
            Some((rule, state)) => {
                let problem = "another rule of this path has no `guard_unless`, and the layer learns only from the body which rule applies";
                Err(ConfigError::new("rule.guard_unless", &*state.name, problem).of_rule(rule))
            }
        }
    }

    /// Whether a foreign backend is behind the layer.
    #[inline]
    pub(crate) fn are_before_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// Whether a backend may ignore the method.
    pub(super) fn ignores_methods(&self) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| foreign.is_strict)
    }

    /// The query parameters by which a backend may route.
    pub(super) fn route_parameters(&self) -> Option<&RouteParameters> {
        self.foreign.as_ref()?.parameters.as_ref()
    }

    /// Finds the group that guards a request. `original` is the path before a router stripped its prefix, if it did.
    // Not inlined, so that `benches/paths.rs` can count it.
    #[inline(never)]
    pub(crate) fn find(&self, method: &Method, uri: &Uri, original: Option<&Uri>) -> Match<'_> {
        if !self.has_paths {
            return self.every.as_ref().map_or(Match::Nothing, Match::Group);
        }
        let place = Place::of(uri, original);
        if let Some(foreign) = &self.foreign {
            return self.find_before_foreign(foreign, method, place, uri.query());
        }
        match place.find_in(self.table_for(method)) {
            Found::One(group) => Match::Group(group),
            Found::Ambiguous(suspicion) => Match::Ambiguous(suspicion),
            Found::Nothing => self.every.as_ref().map_or(Match::Nothing, Match::Group),
        }
    }

    /// As [`Routes::find`], in front of a foreign backend. Nearly all requests match no path: one lookup, for all methods.
    #[inline(never)]
    fn find_before_foreign(
        &self,
        foreign: &Foreign,
        method: &Method,
        place: Place<'_>,
        query: Option<&str>,
    ) -> Match<'_> {
        let meter = &mut Meter::of_request(place.len() + query.map_or(0, str::len), true);
        let table = self.table_for(method);
        if foreign.has_no_more_than(table) {
            return self.find_for_all_methods(foreign, table, place, query, meter);
        }
        let path = foreign.find(place, meter);
        let in_query = query.is_some_and(|query| foreign.is_in_query(table, query, meter));
        if matches!(path, Found::Nothing) && !in_query {
            return self.every.as_ref().map_or(Match::Nothing, Match::Group);
        }
        let own = match place.find_within(table, meter) {
            Found::Ambiguous(suspicion) => return Match::Ambiguous(suspicion),
            Found::One(group) => Some(group),
            Found::Nothing => self.every.as_ref(),
        };
        match (own, path) {
            // A rule guards the path for this method, so a bare GET is refused too.
            _ if in_query && query.is_some_and(|query| foreign.is_in_query_of(table, query, meter)) => {
                Match::Ambiguous(Some(Suspicion::RouteParameter))
            }
            _ if in_query => {
                Match::Unnamed(Box::new(Unnamed::in_doubt(self.groups(), Some(Suspicion::RouteParameter), own)))
            }
            (Some(group), _) => Match::Group(group),
            (None, Found::Ambiguous(suspicion)) if foreign.is_strict => {
                Match::Unnamed(Box::new(Unnamed::in_doubt(self.groups(), suspicion, None)))
            }
            (None, _) => {
                Match::Unnamed(Box::new(Unnamed::on_a_guarded_path(self.named(place, meter), foreign.is_strict)))
            }
        }
    }

    /// As [`Routes::find_before_foreign`], where the rules for the method are on all paths that any rule is on.
    #[inline]
    fn find_for_all_methods<'r>(
        &'r self,
        foreign: &Foreign,
        table: &'r Table<Arc<Group>>,
        place: Place<'_>,
        query: Option<&str>,
        meter: &mut Meter,
    ) -> Match<'r> {
        let found = match place.find_within(table, meter) {
            Found::Ambiguous(suspicion) => return Match::Ambiguous(suspicion),
            Found::One(group) => Some(group),
            Found::Nothing => self.every.as_ref(),
        };
        if query.is_some_and(|query| foreign.is_in_query_of(table, query, meter)) {
            return Match::Ambiguous(Some(Suspicion::RouteParameter));
        }
        found.map_or(Match::Nothing, Match::Group)
    }

    /// Each method that a rule of this path names, with its group. All of them if the path is ambiguous.
    fn named(&self, place: Place<'_>, meter: &mut Meter) -> Vec<(&Method, &Arc<Group>)> {
        let mut named = Vec::new();
        for (method, table) in &self.by_method {
            match place.find_within(table, meter) {
                Found::Nothing => {}
                Found::One(group) => named.push((method, group)),
                Found::Ambiguous(_) => named.extend(table.entries().map(|group| (method, group))),
            }
        }
        named
    }

    /// All groups.
    pub(crate) fn all_groups(&self) -> Vec<&Arc<Group>> {
        self.groups().into_iter().chain(&self.every).collect()
    }

    /// All groups of paths.
    fn groups(&self) -> Vec<&Arc<Group>> {
        let named = self.by_method.iter().flat_map(|(_, table)| table.entries());
        named.chain(self.others.entries()).collect()
    }

    /// The accounts that the rules' verifiers spend from.
    pub(crate) fn accounts(&self) -> BTreeSet<&str> {
        self.states.iter().map(|state| &*state.settings.judge.account.name).collect()
    }

    /// The names of rules that the other layer does not have.
    pub(crate) fn names_beyond(&self, other: &Self) -> Vec<&str> {
        self.states.iter().map(|state| &*state.name).filter(|name| other.state(name).is_none()).collect()
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = &RuleState> {
        self.states.iter().map(|state| &**state)
    }

    fn state(&self, name: &str) -> Option<&RuleState> {
        self.states.iter().find(|state| &*state.name == name).map(|state| &**state)
    }

    /// The rules that no request has matched since the layer was built.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.states.iter().filter(|state| !state.has_matched()).map(|state| &*state.name)
    }

    #[inline]
    fn table_for(&self, method: &Method) -> &Table<Arc<Group>> {
        if let Some((_, table)) = self.by_method.iter().find(|(named, _)| named == method) {
            return table;
        }
        // Only a method in an unusual spelling can still match a rule.
        self.by_method.iter().find(|(named, _)| is_same(named, method)).map_or(&self.others, |(_, table)| table)
    }
}

fn table(
    by_pattern: &BTreeMap<Pattern, Vec<Entry<'_>>>,
    method: Option<&Method>,
    names: &Names,
    foreign: &ForeignBackend,
) -> Result<Table<Arc<Group>>, ConfigError> {
    let mut entries = Vec::new();
    for (pattern, rules) in by_pattern {
        if let Some(group) = group(rules, method, names, foreign)? {
            entries.push((pattern.clone(), group));
        }
    }
    Table::build(entries)
}

/// The group of the rules that apply to a method, most specific first.
fn group(
    rules: &[Entry<'_>],
    method: Option<&Method>,
    names: &Names,
    foreign: &ForeignBackend,
) -> Result<Option<Arc<Group>>, ConfigError> {
    let mut applying: Vec<(u8, bool, &Entry<'_>)> = rules
        .iter()
        .filter_map(|entry| {
            let (rule, _) = entry;
            Some((nearness(&rule.methods, method)?, rule.when.is_none(), entry))
        })
        .collect();
    // Also sorted by value: the first rule is reported for all until it is known which one applies, so the order in which
    // they were added must not matter.
    applying.sort_by_key(|(nearness, unconditional, (rule, _))| {
        (*nearness, *unconditional, rule.when.as_ref().map(|when| &*when.1))
    });
    for (at, (nearness, _, (rule, state))) in applying.iter().enumerate() {
        let tie = applying.iter().skip(at + 1).any(|(other_nearness, _, (other, _))| {
            nearness == other_nearness
                && rule.when.as_ref().map(|when| &when.1) == other.when.as_ref().map(|when| &when.1)
        });
        if tie {
            return Err(
                ConfigError::new("rule", &*state.name, "two rules apply to the same request").of_rule(&*state.name)
            );
        }
    }
    let chosen: Vec<Entry<'_>> = applying.into_iter().map(|(_, _, (rule, state))| (*rule, Arc::clone(state))).collect();
    let Some((first, others)) = chosen.split_first() else { return Ok(None) };
    Group::compile(first, others, names, foreign).map(|group| Some(Arc::new(group.heeding_methods(rules, foreign))))
}
