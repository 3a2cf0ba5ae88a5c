//! All rules of a layer, compiled: from a request's method and path to the group that guards it.
//!
//! One table a named method, and one for all others; each holds every pattern that has a rule for its method, so that one
//! lookup finds the most specific pattern *that names the method*.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, Uri};

use super::{Group, Methods, Overrides, Rule, RuleState, Settings, Shares};
use crate::{
    ConfigError, ForeignBackend, Suspicion,
    headers::Names,
    path::{Found, Pattern, RouteParameters, Table},
};

/// All rules of a layer.
pub(crate) struct Routes {
    by_method: Vec<(Method, Table<Arc<Group>>)>,
    others: Table<Arc<Group>>,
    /// What guards a path that no other rule guards.
    every: Option<Arc<Group>>,
    route_parameters: Option<RouteParameters>,
    has_paths: bool,
    states: Vec<Arc<RuleState>>,
}

/// What guards a request.
#[derive(Clone, Copy)]
pub(crate) enum Match<'r> {
    Nothing,
    Group(&'r Arc<Group>),
    /// The path can be read in several ways, at least one of which is guarded.
    Ambiguous(Option<Suspicion>),
}

type Entry<'r> = (&'r Rule, Arc<RuleState>);

// === impl Routes ===

impl Routes {
    /// # Errors
    ///
    /// Names the setting that cannot stand: no rules, a bad pattern, a tie, and what [`Settings::resolve`] and
    /// `Group::compile` refuse.
    pub(crate) fn compile(
        rules: &[Rule],
        layer: &Overrides,
        names: &Names,
        foreign: &ForeignBackend,
    ) -> Result<Self, ConfigError> {
        if rules.is_empty() {
            return Err(ConfigError::unshown("rule", "a layer without a rule guards nothing"));
        }
        let shares = Shares::new(layer)?;
        let spellings = foreign.suspects(Suspicion::PathSpelling);
        let mut by_pattern: BTreeMap<Pattern, Vec<Entry<'_>>> = BTreeMap::new();
        let mut every: Vec<Entry<'_>> = Vec::new();
        let mut states = Vec::with_capacity(rules.len());
        for rule in rules {
            if rule.preflight_passes && !rule.methods.may_be_options() {
                return Err(ConfigError::new("rule.preflight_passes", rule.to_string(), "this rule guards no OPTIONS"));
            }
            let settings = Settings::resolve(&rule.overrides, layer, &shares)?;
            let state = Arc::new(RuleState::new(rule.to_string().into(), settings));
            states.push(Arc::clone(&state));
            match &rule.path {
                Some(path) => by_pattern.entry(Pattern::parse(path)?).or_default().push((rule, state)),
                None => every.push((rule, state)),
            }
        }
        let mut methods: Vec<Method> = rules
            .iter()
            .filter_map(|rule| match &rule.methods {
                Methods::Named(method) => Some(canonical(method)),
                Methods::Any => None,
            })
            .collect();
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        methods.dedup();
        let by_method = methods
            .into_iter()
            .map(|method| {
                table(&by_pattern, Some(&method), names, foreign)
                    .map(|table| (method, table.foreign_backend(spellings)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            by_method,
            others: table(&by_pattern, None, names, foreign)?.foreign_backend(spellings),
            route_parameters: RouteParameters::of(foreign),
            every: group(&every, None, names, foreign)?,
            has_paths: !by_pattern.is_empty(),
            states,
        })
    }

    /// What guards a request. `original` is the path before a router stripped its prefix, where there was one.
    pub(crate) fn find(&self, method: &Method, uri: &Uri, original: Option<&Uri>) -> Match<'_> {
        if !self.has_paths {
            return self.every.as_ref().map_or(Match::Nothing, Match::Group);
        }
        let table = self.table_for(method);
        let mut found = table.find(path_of(uri));
        if let Some(original) = original
            && original.path() != uri.path()
        {
            found = match (found, table.find(path_of(original))) {
                (Found::One(one), Found::One(other)) if Arc::ptr_eq(one, other) => Found::One(one),
                (Found::Nothing, other) => other,
                (one, Found::Nothing) => one,
                (Found::Ambiguous(None), _) | (_, Found::Ambiguous(None)) => Found::Ambiguous(None),
                (Found::Ambiguous(suspicion), _) | (_, Found::Ambiguous(suspicion)) => Found::Ambiguous(suspicion),
                _ => Found::Ambiguous(None),
            };
        }
        if let (Found::Nothing, Some(parameters), Some(query)) = (&found, &self.route_parameters, uri.query())
            && !matches!(table.find_in_query(query, parameters), Found::Nothing)
        {
            return Match::Ambiguous(Some(Suspicion::RouteParameter));
        }
        match found {
            Found::One(group) => Match::Group(group),
            Found::Ambiguous(suspicion) => Match::Ambiguous(suspicion),
            Found::Nothing => self.every.as_ref().map_or(Match::Nothing, Match::Group),
        }
    }

    /// The rules that no request has matched since the layer was built.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.states.iter().filter(|state| !state.has_matched()).map(|state| &*state.name)
    }

    fn table_for(&self, method: &Method) -> &Table<Arc<Group>> {
        if let Some((_, table)) = self.by_method.iter().find(|(named, _)| named == method) {
            return table;
        }
        // Only a method in an unusual spelling can still be one that a rule names.
        self.by_method
            .iter()
            .find(|(named, _)| named.as_str().eq_ignore_ascii_case(method.as_str()))
            .map_or(&self.others, |(_, table)| table)
    }
}

/// The path, or what stands in its place: a request line such as `POST login` has an authority and no path.
fn path_of(uri: &Uri) -> &str {
    match uri.path() {
        "" => uri.authority().map_or("", |authority| authority.as_str()),
        path => path,
    }
}

/// Methods compare without case; the standard ones are upper-case.
fn canonical(method: &Method) -> Method {
    Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).unwrap_or_else(|_| method.clone())
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
    // By the value too: the first of them speaks for all until it is known which one applies, in whatever order they came.
    applying.sort_by_key(|(nearness, unconditional, (rule, _))| {
        (*nearness, *unconditional, rule.when.as_ref().map(|when| &*when.1))
    });
    for (at, (nearness, _, (rule, state))) in applying.iter().enumerate() {
        let tie = applying.iter().skip(at + 1).any(|(other_nearness, _, (other, _))| {
            nearness == other_nearness
                && rule.when.as_ref().map(|when| &when.1) == other.when.as_ref().map(|when| &when.1)
        });
        if tie {
            return Err(ConfigError::new("rule", state.name.clone(), "two rules say what this request must prove"));
        }
    }
    if applying.is_empty() {
        return Ok(None);
    }
    let rules: Vec<Entry<'_>> = applying.into_iter().map(|(_, _, (rule, state))| (*rule, Arc::clone(state))).collect();
    Group::compile(&rules, names, foreign).map(|group| Some(Arc::new(group)))
}

/// How specifically a rule names a method: itself, `HEAD` by `GET`, any. `None`: it does not apply.
fn nearness(methods: &Methods, method: Option<&Method>) -> Option<u8> {
    match (methods, method) {
        (Methods::Any, _) => Some(2),
        (Methods::Named(named), Some(method)) if canonical(named) == *method => Some(0),
        (Methods::Named(named), Some(&Method::HEAD)) if canonical(named) == Method::GET => Some(1),
        (Methods::Named(_), _) => None,
    }
}
