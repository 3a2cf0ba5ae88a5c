//! The rules of one path and method. A value in the request may choose between them.

use std::{ops::Range, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Uri, Version, header::COOKIE, request::Parts};

use super::{
    grpc_answers::GrpcAnswers, limited::Limited, on_demand, pass_at::PassAt, place::Place, plan::AskPlan,
    presented::InHeaders, spec::Rule, state::RuleState, unless::Unless,
};
use crate::{
    body::TrailerFilter,
    check::AskedBy,
    denial::{DenialReason, Refusal},
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
    headers::{Names, remove_cookies},
    judge,
    path::{ParameterValues, Parameters, Pattern},
    proof::{Media, Role, Value, Values, may_be_read_as_any, may_equal_in_php},
    reading::{Fields, Reading},
};

/// The rules of one path and method, and the reading of a request that all of them share.
pub(crate) struct Group {
    pub(super) reading: Reading,
    /// The index of the field whose value chooses the rule, if there is one.
    when: Option<usize>,
    /// Most specific first; at most the last has no `when`.
    first: Compiled,
    others: Vec<Compiled>,
    /// The parameters of the path. Boxed, because few paths have any.
    parameters: Option<Box<Parameters>>,
    /// The closures that let a request pass: one per rule, or empty.
    unless: Vec<Unless>,
    preflight_passes: bool,
    /// Whether any of the rules is not enforced for all requests.
    pub(super) has_mode: bool,
    /// Methods that no rule here guards, and that still pass.
    other_methods: Vec<Method>,
    grpc_answers: GrpcAnswers,
    trailers: TrailerFilter,
    /// As `trailers`, for a request whose proof may be anywhere.
    pub(super) shadow_trailers: TrailerFilter,
}

struct Compiled {
    when: Option<Box<str>>,
    ask: AskPlan,
    limited: Limited,
    pass: Option<Box<PassAt>>,
    state: Arc<RuleState>,
}

/// The checks that the values of a request require.
pub(crate) enum Choice<'g> {
    /// These checks.
    Ask {
        rule: &'g Arc<RuleState>,
        plan: judge::Plan,
        /// The places in the body where the phone must be pinned.
        pins: Vec<Range<usize>>,
    },
    /// No checks: no rule names the value, and [`Rule::otherwise_pass`] is set.
    Pass,
}

// === impl Group ===

impl Group {
    /// Compiles rules of one path and method, most specific first.
    ///
    /// # Errors
    ///
    /// `rule.when`, if rules tie, choose by different fields, or read bodies differently; `rule.ask`; `field`.
    pub(super) fn compile(
        first: &(&Rule, Arc<RuleState>),
        others: &[(&Rule, Arc<RuleState>)],
        names: &Names,
        foreign: &ForeignBackend,
    ) -> Result<Self, ConfigError> {
        Self::compile_all(first, others, names, foreign).map_err(|error| error.of_rule(&*first.1.name))
    }

    fn compile_all(
        first: &(&Rule, Arc<RuleState>),
        others: &[(&Rule, Arc<RuleState>)],
        names: &Names,
        foreign: &ForeignBackend,
    ) -> Result<Self, ConfigError> {
        let all = || std::iter::once(first).chain(others);
        let (mut fields, mut when) = (Fields::default(), None);
        let compiled_first = Compiled::new(first, names, &mut fields, &mut when)?;
        let mut compiled_others = Vec::with_capacity(others.len());
        // A rule without `when` always applies, so no rule after it does.
        let is_last = |rule: &Compiled| rule.when.is_none();
        for other in others {
            if is_last(compiled_others.last().unwrap_or(&compiled_first)) {
                break;
            }
            compiled_others.push(Compiled::new(other, names, &mut fields, &mut when)?);
        }
        let compiled = || std::iter::once(&compiled_first).chain(&compiled_others);
        let (name, settings) = (&compiled_first.state.name, &compiled_first.state.settings);
        let refuse = |problem: &'static str| Err(ConfigError::new("rule.when", &**name, problem));
        let otherwise_passes = all().take(1 + compiled_others.len()).any(|(rule, _)| rule.otherwise_passes);
        if compiled().any(|rule| rule.state.settings.reading != settings.reading) {
            return refuse(
                "rules of one path must have the same body limits, media types, codings, `extract`, `canonical_body`, `other_phones` and `ignore_query`",
            );
        }
        if compiled().any(|rule| rule.state.settings.grpc_answers != settings.grpc_answers) {
            // A request may be refused before the layer knows which of them applies.
            let problem = "rules of one path must have the same `grpc_answers`";
            return Err(ConfigError::new("grpc_answers", &**name, problem));
        }
        if otherwise_passes && compiled().any(is_last) {
            return refuse("`otherwise_pass` has no effect if another rule of the path has no `when`");
        }
        let states: Vec<&RuleState> = compiled().map(|rule| &*rule.state).collect();
        let lets_by = all().take(1 + compiled_others.len()).any(|(rule, _)| rule.unless.is_some());
        on_demand::check(&states, otherwise_passes, lets_by, foreign)?;
        let pins = compiled().any(|rule| rule.state.settings.pins());
        let path = first.0.path.as_deref();
        let keeps = compiled().any(|rule| rule.state.settings.shadow.is_some());
        let unless = all().take(1 + compiled_others.len()).map(|(rule, _)| rule.unless.clone());
        let unless = unless.collect::<Option<Vec<_>>>().unwrap_or_default();
        let pattern = path.map(Pattern::parse).transpose()?;
        let spellings = foreign.suspects(Suspicion::PathSpelling);
        let parameters = pattern.and_then(|pattern| Parameters::of(&pattern, spellings)).map(Box::new);
        let reading = Reading::compile(&settings.reading, &fields, foreign, (name, path), pins, keeps)?;
        let by = first.0.when.as_ref().filter(|_| otherwise_passes).map(|(field, _)| field);
        let reading = reading.passing_others(by, foreign, (name, path))?;
        compiled().try_for_each(|Compiled { state, .. }| {
            let checked = state.settings.reading.check_handing_on(state.settings.pin_phone, &state.name);
            checked.map_err(|error| error.of_rule(&*state.name))
        })?;
        let plan = reading.plan();
        if let Some(gone) = plan.header_names().iter().find(|name| names.removes(name.as_str())) {
            let problem = "a header under our prefix, or one that `foreign_backend` removes, is removed on arrival";
            return Err(ConfigError::new("field", gone.as_str(), problem));
        }
        let cookies = foreign.suspects(Suspicion::Cookie).then_some(COOKIE);
        let no_trailers: Vec<HeaderName> = plan.header_names().iter().cloned().chain(cookies.clone()).collect();
        Ok(Self {
            when,
            has_mode: keeps,
            preflight_passes: all().any(|(rule, _)| rule.preflight_passes),
            other_methods: all().flat_map(|(rule, _)| rule.other_methods.iter().cloned()).collect(),
            grpc_answers: GrpcAnswers::of(&reading, settings),
            trailers: trailer_filter(names, &no_trailers),
            shadow_trailers: trailer_filter(names, cookies.as_slice()),
            reading,
            parameters,
            unless,
            first: compiled_first,
            others: compiled_others,
        })
    }

    /// The reading of a request for these rules.
    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

    fn rules(&self) -> impl Iterator<Item = &Compiled> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The rules, most specific first.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Arc<RuleState>> {
        self.rules().map(|rule| &rule.state)
    }

    /// The rule to report until it is known which rule applies.
    pub(crate) fn first_rule(&self) -> &Arc<RuleState> {
        &self.first.state
    }

    /// The path parameters of a guarded request; `None` if the path has none. `original` is the path before a
    /// router stripped its prefix.
    ///
    /// # Errors
    ///
    /// Several readings of the path differ in a parameter.
    #[inline]
    pub(crate) fn path_parameters(
        &self,
        uri: &Uri,
        original: Option<&Uri>,
    ) -> Result<Option<Box<ParameterValues>>, Refusal> {
        let Some(parameters) = &self.parameters else { return Ok(None) };
        let values = Place::of(uri, original).parameters(parameters).map_err(|_| {
            let refusal = Refusal::new(DenialReason::PathAmbiguous);
            refusal.with_detail("a path whose readings differ in a parameter")
        })?;
        Ok(Some(Box::new(values)))
    }

    /// Whether a closure may let a request pass.
    #[inline]
    pub(crate) fn has_unless(&self) -> bool {
        !self.unless.is_empty()
    }

    /// Whether all rules let a request with this head pass. The head has no header under our prefix.
    pub(crate) fn lets_by(&self, head: &Parts) -> bool {
        let mut each = self.rules().zip(&self.unless);
        self.has_unless() && each.all(|(rule, unless)| unless.lets_by(&rule.state.name, head))
    }

    /// Whether the closure of this rule can let a request pass.
    pub(super) fn heeds_unless_of(&self, rule: &Arc<RuleState>) -> bool {
        self.has_unless() && self.rules().any(|compiled| Arc::ptr_eq(&compiled.state, rule))
    }

    /// Notes that a request is for these rules. A single rule is marked as matched now; one of several is marked when it is
    /// chosen.
    pub(crate) fn mark_matched(&self) {
        if self.others.is_empty() && self.first.when.is_none() {
            self.first.state.mark_matched();
        }
    }

    /// Whether a refused gRPC call over this HTTP version gets a gRPC answer, with HTTP status 200.
    pub(crate) fn answers_grpc(&self, version: Version) -> bool {
        self.grpc_answers.over(version)
    }

    pub(crate) fn preflight_passes(&self) -> bool {
        self.preflight_passes
    }

    /// Methods that [`Rule::other_methods`] lists.
    pub(super) fn other_methods(&self) -> &[Method] {
        &self.other_methods
    }

    /// The choice for a value of `when` that no rule names, if [`Rule::otherwise_pass`] is set. `None` if a rule applies.
    ///
    /// # Errors
    ///
    /// Some application may read the value as one that a rule names.
    pub(crate) fn choose_other(&self, when: Option<&Value<'_>>) -> Result<Option<Choice<'_>>, Refusal> {
        if self.rule_for(when)?.is_some() {
            return Ok(None);
        }
        when.map_or(Ok(()), |value| self.check_unnamed(value))?;
        Ok(Some(Choice::Pass))
    }

    /// Refuses a value of `when` that no rule names, if some application may read it as one that a rule names.
    #[inline(never)]
    fn check_unnamed(&self, value: &Value<'_>) -> Result<(), Refusal> {
        if self.may_be_named(value) {
            let refusal = Refusal::new(DenialReason::ProofMalformed);
            return Err(refusal.with_detail("a value of `when` that some application reads as one that a rule names"));
        }
        Ok(())
    }

    /// The rule that applies to this value of `when`.
    fn rule_for(&self, when: Option<&Value<'_>>) -> Result<Option<&Compiled>, Refusal> {
        Ok(match when {
            None => self.rules().find(|rule| rule.when.is_none()),
            Some(value) if value.begins_with_mark() => {
                let refusal = Refusal::new(DenialReason::ProofMalformed);
                return Err(refusal.with_detail("a byte order mark at the beginning of the value of `when`"));
            }
            Some(Value::Text(text)) => self.named(text),
            Some(Value::Integer(number)) => {
                let named = self.named(&number.to_string());
                // An application that reads 32 bits, or floating point, may read a value that a rule names.
                if *number > u64::from(u32::MAX) && named.is_none_or(|rule| rule.when.is_none()) {
                    let refusal = Refusal::new(DenialReason::ProofMalformed);
                    return Err(refusal.with_detail("a value of `when` that some applications read differently"));
                }
                named
            }
        })
    }

    /// The rule that applies to these values, and its checks. `parameters`: as [`Group::path_parameters`]. `in_headers`: passes.
    pub(crate) fn choose(
        &self,
        values: &Values<'_>,
        parameters: Option<&mut ParameterValues>,
        in_headers: Option<&InHeaders>,
    ) -> Result<Choice<'_>, Refusal> {
        let when = self.when.and_then(|index| values.get(index));
        match self.rule_for(when)? {
            Some(rule) => {
                if let (None, Some(value)) = (&rule.when, when) {
                    // This rule may require less than the named one whose login such an application would run.
                    self.check_unnamed(value)?;
                }
                rule.state.mark_matched();
                let grammar = rule.state.settings.phone_grammar;
                let pass = rule.pass.as_ref().map_or(Ok(None), |pass| pass.pass(values, in_headers))?;
                let (checks, pass) = rule.ask.checks(values, grammar, pass)?;
                let asked_by = match parameters {
                    None => Arc::clone(&rule.state.asked_by),
                    Some(values) => Arc::new(AskedBy::new(Arc::clone(&rule.state.name), std::mem::take(values))),
                };
                let limited = rule.limited.phones(values, grammar)?;
                let step_up = rule.ask.step_up(values)?;
                let plan = judge::Plan { checks, limited, pass, step_up, asked_by };
                let mut pins: Vec<Range<usize>> = Vec::new();
                if rule.state.settings.pins() {
                    pins.extend(rule.ask.phones(values, plan.pass.is_some()).flat_map(|phone| values.spans(phone)));
                    pins.sort_by_key(|span| span.start);
                    // Two proofs may share the phone's field.
                    pins.dedup();
                }
                Ok(Choice::Ask { rule: &rule.state, plan, pins })
            }
            None => Err(Refusal::new(DenialReason::ProofMissing).with_detail("a value of `when` that no rule names")),
        }
    }

    fn named(&self, value: &str) -> Option<&Compiled> {
        self.rules().find(|rule| rule.when.as_deref().is_none_or(|named| named == value))
    }

    /// Whether some application might read a value as one that a rule names, although the texts differ.
    fn may_be_named(&self, value: &Value<'_>) -> bool {
        let named = || self.rules().filter_map(|rule| rule.when.as_deref());
        match value {
            Value::Text(text) => may_be_read_as_any(text, named()),
            Value::Integer(number) => {
                may_be_read_as_any(&number.to_string(), named()) || named().any(|it| may_equal_in_php(*number, it))
            }
        }
    }

    /// Removes what the trailers of a passed request must not contain.
    pub(crate) fn trailer_filter(&self) -> TrailerFilter {
        self.trailers.clone()
    }
}

/// Removes the cookies that a backend may read as the phone of one of these groups.
pub(crate) fn remove_phone_cookies(groups: &[&Arc<Group>], headers: &mut HeaderMap) {
    if headers.contains_key(COOKIE) {
        remove_cookies(headers, |name| groups.iter().any(|group| group.reading.plan().is_phone_cookie(name)));
    }
}

/// Removes headers under our prefix and the proof's headers from trailers.
pub(crate) fn trailer_filter(names: &Names, proof: &[HeaderName]) -> TrailerFilter {
    let (names, proof) = (names.clone(), proof.to_vec());
    TrailerFilter::new(move |trailers| names.strip_with(trailers, &proof))
}

// === impl Compiled ===

impl Compiled {
    /// `when`: the index of the field by which the rules of the group choose, once a rule has set it.
    fn new(
        (rule, state): &(&Rule, Arc<RuleState>),
        names: &Names,
        fields: &mut Fields,
        when: &mut Option<usize>,
    ) -> Result<Self, ConfigError> {
        let refuse =
            |problem: &'static str| Err(ConfigError::new("rule.when", &*state.name, problem).of_rule(&*state.name));
        let value = match &rule.when {
            None => None,
            Some((field, value)) => {
                let index = fields.index_as(field, Role::Context);
                if value.is_empty() {
                    return refuse("an empty value never matches");
                }
                if &**value == "0" && state.settings.reading.accept.contains(&Media::Grpc) {
                    return refuse("protobuf omits a zero: it cannot be distinguished from an absent field");
                }
                if *when.get_or_insert(index) != index {
                    return refuse("rules of one path must use `when` with the same field");
                }
                Some(value.clone())
            }
        };
        let of_rule = |error: ConfigError| error.of_rule(&*state.name);
        let ask = AskPlan::compile(&rule.ask, &state.settings.judge, fields).map_err(of_rule)?;
        let limited = Limited::compile(&state.settings.judge.limits, &rule.ask, fields).map_err(of_rule)?;
        let pass = PassAt::compile(rule, state, names, fields).map_err(of_rule)?;
        Ok(Self { when: value, ask, limited, pass, state: Arc::clone(state) })
    }
}
