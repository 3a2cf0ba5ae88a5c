//! The rules of one path and method, among which a value in the request may choose.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderName, Method, header::COOKIE};

#[cfg(feature = "grpc")]
use super::grpc;
use super::{
    Rule, Settings,
    plan::{AskPlan, FieldSet, Planned},
};
use crate::{
    ConfigError, ForeignBackend, Suspicion,
    body::TrailerFilter,
    denial::{DenialReason, Refusal},
    headers::{Names, remove_cookies},
    proof::{Plan, Value, Values, may_be_read_as, may_equal_in_php},
};

/// The rules of one path and method, and the one reading of a request that serves them all.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own, and none says anything about another")]
pub(crate) struct Group {
    plan: Plan,
    /// The field that chooses, where a value does.
    when: Option<usize>,
    /// Most specific first; at most the last has no `when`.
    rules: Vec<Compiled>,
    otherwise_passes: bool,
    preflight_passes: bool,
    /// Methods that no rule here guards, and that pass all the same.
    other_methods: Vec<Method>,
    answers_grpc: bool,
    trailers: TrailerFilter,
    #[cfg(feature = "grpc")]
    client_streaming: bool,
}

/// What a rule is to all groups it is part of.
pub(crate) struct RuleState {
    pub(crate) name: Box<str>,
    pub(crate) settings: Settings,
    matched: AtomicBool,
}

struct Compiled {
    when: Option<Box<str>>,
    ask: AskPlan,
    state: Arc<RuleState>,
}

/// What the values of a request ask for.
pub(crate) enum Choice<'g> {
    /// These checks, in order.
    Ask {
        rule: &'g Arc<RuleState>,
        checks: Vec<Planned>,
        /// Boxed, for few have one, and a story carries it from one floor to the next.
        step_up: Option<Box<Planned>>,
        /// Where in the body the phone stands that is to be pinned.
        pins: Vec<Range<usize>>,
    },
    /// Nothing: no rule names the value, and [`Rule::otherwise_pass`] is set.
    Pass,
}

// === impl Group ===

impl Group {
    /// Compiles rules of one path and method, most specific first.
    ///
    /// # Errors
    ///
    /// `rule.when`, when rules tie, choose by different fields, or read bodies differently; `rule.ask`; `field`.
    pub(super) fn compile(
        rules: &[(&Rule, Arc<RuleState>)],
        names: &Names,
        foreign: &ForeignBackend,
    ) -> Result<Self, ConfigError> {
        let mut fields = FieldSet::default();
        let mut when = None;
        let mut compiled: Vec<Compiled> = Vec::with_capacity(rules.len());
        for (rule, state) in rules {
            let refuse = |problem: &'static str| Err(ConfigError::new("rule.when", state.name.clone(), problem));
            let value = match &rule.when {
                None => None,
                Some((field, value)) => {
                    let index = fields.index(field);
                    if value.is_empty() {
                        return refuse("an empty value is never read");
                    }
                    #[cfg(feature = "grpc")]
                    if &**value == "0" && state.settings.accept.contains(&crate::Media::Grpc) {
                        return refuse("protobuf leaves a zero out: it cannot be told from a field that is not there");
                    }
                    if *when.get_or_insert(index) != index {
                        return refuse("rules of one path choose by one field");
                    }
                    Some(value.clone())
                }
            };
            let ask = AskPlan::compile(&rule.ask, &state.settings.policy, &mut fields)?;
            compiled.push(Compiled { when: value, ask, state: Arc::clone(state) });
            if rule.when.is_none() {
                // It always applies, so nothing after it does.
                break;
            }
        }
        let otherwise_passes = rules.iter().take(compiled.len()).any(|(rule, _)| rule.otherwise_passes);
        if let Some(first) = compiled.first() {
            let refuse = |problem: &'static str| Err(ConfigError::new("rule.when", first.state.name.clone(), problem));
            if compiled.iter().any(|rule| !rule.state.settings.reads_like(&first.state.settings)) {
                return refuse(
                    "rules among which a value chooses share body limits, media types, codings, `extract`, `canonical_body`, `other_phones` and `ignore_query`",
                );
            }
            if compiled.iter().any(|rule| rule.state.settings.grpc_answers != first.state.settings.grpc_answers) {
                // A request may be refused before it is known which of them applies.
                let problem = "rules among which a value chooses answer gRPC calls alike";
                return Err(ConfigError::new("grpc_answers", first.state.name.clone(), problem));
            }
            if otherwise_passes && compiled.iter().any(|rule| rule.when.is_none()) {
                return refuse("`otherwise_pass` beside a rule without `when` never applies");
            }
        }
        let ignore_query = compiled.first().is_some_and(|rule| rule.state.settings.ignore_query);
        let plan = Plan::compile(fields.as_slice(), ignore_query)?.before(foreign, fields.as_slice(), fields.roles());
        let other_phones = compiled.first().map(|rule| rule.state.settings.other_phones.as_slice()).unwrap_or_default();
        let plan = plan.allowing_other_phones(other_phones, fields.as_slice(), fields.roles())?;
        #[cfg(feature = "grpc")]
        let (plan, client_streaming) = grpc::accept(plan, &fields, rules)?;
        if let Some(first) = compiled.first()
            && plan.reads_body()
            && first.state.settings.extractor.is_none()
            && !first.state.settings.accept.iter().any(|media| plan.fits(media))
        {
            let problem = "no media type that is accepted can hold the fields of the body";
            return Err(ConfigError::new("accept", first.state.name.clone(), problem));
        }
        compiled.iter().try_for_each(|rule| rule.state.settings.check_handing_on(&rule.state.name))?;
        let plan = plan.keeping_spans(compiled.iter().any(|rule| rule.state.settings.pins()));
        if let Some(gone) = plan.header_names().iter().find(|name| names.removes(name.as_str())) {
            let problem = "a header under our prefix, or one that `foreign_backend` removes, is removed on arrival";
            return Err(ConfigError::new("field", gone.as_str(), problem));
        }
        let mut no_trailers = plan.header_names().to_vec();
        if foreign.suspects(Suspicion::Cookie) {
            no_trailers.push(COOKIE);
        }
        let answers_grpc = compiled.first().is_some_and(|rule| answers_grpc(&plan, &rule.state.settings));
        Ok(Self {
            when,
            rules: compiled,
            otherwise_passes,
            preflight_passes: rules.iter().any(|(rule, _)| rule.preflight_passes),
            other_methods: rules.iter().flat_map(|(rule, _)| rule.other_methods.iter().cloned()).collect(),
            answers_grpc,
            trailers: trailer_filter(names, &no_trailers),
            plan,
            #[cfg(feature = "grpc")]
            client_streaming,
        })
    }

    /// Whether only the first message of a gRPC stream is read, and the rest flows on.
    #[cfg(feature = "grpc")]
    pub(crate) fn is_client_streaming(&self) -> bool {
        self.client_streaming
    }

    /// How to read a request for these rules.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What holds until it is known which rule applies: how bodies are read is the same for all of them.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.rules.first().map(|rule| &rule.state.settings)
    }

    /// The rule to speak of until it is known which one applies.
    pub(crate) fn first_rule(&self) -> Option<&Arc<RuleState>> {
        self.rules.first().map(|rule| &rule.state)
    }

    /// A request is for these rules. Where there is but one, it has been matched, whatever comes of the request; else the
    /// one that is chosen will have been.
    pub(crate) fn mark_matched(&self) {
        if let [only] = self.rules.as_slice()
            && only.when.is_none()
        {
            only.state.mark_matched();
        }
    }

    /// Whether a refused gRPC call gets a gRPC answer, with HTTP status 200.
    pub(crate) fn answers_grpc(&self) -> bool {
        self.answers_grpc
    }

    pub(crate) fn preflight_passes(&self) -> bool {
        self.preflight_passes
    }

    /// Methods that [`Rule::other_methods`] lists.
    pub(super) fn other_methods(&self) -> &[Method] {
        &self.other_methods
    }

    /// The rule that applies to these values, and what it asks for.
    pub(crate) fn choose(&self, values: &Values<'_>) -> Result<Choice<'_>, Refusal> {
        let value = self.when.and_then(|index| values.get(index));
        let chosen = match value {
            None => self.rules.iter().find(|rule| rule.when.is_none()),
            Some(Value::Text(text)) => self.named(text),
            Some(Value::Integer(number)) => {
                let named = self.named(&number.to_string());
                // An application of 32 bits, or of floating point, may read one that we name.
                if *number > u64::from(u32::MAX) && named.is_none_or(|rule| rule.when.is_none()) {
                    let refusal = Refusal::new(DenialReason::ProofMalformed);
                    return Err(refusal.with_detail("a value of `when` that not everybody reads alike"));
                }
                named
            }
        };
        match chosen {
            Some(rule) => {
                rule.state.mark_matched();
                let checks = rule.ask.checks(values, rule.state.settings.phone_grammar)?;
                let step_up = rule.ask.step_up(values)?.map(Box::new);
                let mut pins: Vec<Range<usize>> = Vec::new();
                if rule.state.settings.pins() {
                    pins.extend(rule.ask.phones(values).flat_map(|phone| values.spans(phone)));
                    pins.sort_by_key(|span| span.start);
                    // Two proofs may share the phone's field.
                    pins.dedup();
                }
                Ok(Choice::Ask { rule: &rule.state, checks, step_up, pins })
            }
            None if self.otherwise_passes => {
                if value.is_some_and(|value| self.may_be_named(value)) {
                    let refusal = Refusal::new(DenialReason::ProofMalformed);
                    return Err(
                        refusal.with_detail("a value of `when` that some application reads as one that a rule names")
                    );
                }
                Ok(Choice::Pass)
            }
            None => Err(Refusal::new(DenialReason::ProofMissing).with_detail("a value of `when` that no rule names")),
        }
    }

    fn named(&self, value: &str) -> Option<&Compiled> {
        self.rules.iter().find(|rule| rule.when.as_deref().is_none_or(|named| named == value))
    }

    /// Whether some application might read a value as one that a rule names, although it is another text.
    fn may_be_named(&self, value: &Value<'_>) -> bool {
        let mut named = self.rules.iter().filter_map(|rule| rule.when.as_deref());
        match value {
            Value::Text(text) => named.any(|named| may_be_read_as(text, named)),
            Value::Integer(number) => {
                let digits = number.to_string();
                named.any(|named| may_be_read_as(&digits, named) || may_equal_in_php(*number, named))
            }
        }
    }

    /// What must not come in the trailers of a request that is let through.
    pub(crate) fn trailer_filter(&self) -> TrailerFilter {
        self.trailers.clone()
    }
}

/// Removes the cookies that a backend may take for the phone of one of these groups.
pub(crate) fn remove_phone_cookies(groups: &[&Arc<Group>], headers: &mut HeaderMap) {
    if headers.contains_key(COOKIE) {
        remove_cookies(headers, |name| groups.iter().any(|group| group.plan.is_phone_cookie(name)));
    }
}

/// Whether a refused call gets a gRPC answer: as set, or where a call could have been let through.
fn answers_grpc(plan: &Plan, settings: &Settings) -> bool {
    #[cfg(feature = "grpc")]
    let accepts = settings.accept.contains(&crate::Media::Grpc);
    #[cfg(not(feature = "grpc"))]
    let accepts = false;
    settings.grpc_answers.unwrap_or(accepts || !plan.reads_body())
}

/// Takes our prefix and the proof's headers out of trailers.
pub(crate) fn trailer_filter(names: &Names, proof: &[HeaderName]) -> TrailerFilter {
    let (names, proof) = (names.clone(), proof.to_vec());
    TrailerFilter::new(move |trailers| names.strip_with(trailers, &proof))
}

// === impl RuleState ===

impl RuleState {
    pub(super) fn new(name: Box<str>, settings: Settings) -> Self {
        Self { name, settings, matched: AtomicBool::new(false) }
    }

    /// Looks before it writes: a line of memory that all cores write to would go round among them.
    fn mark_matched(&self) {
        if !self.has_matched() {
            self.matched.store(true, Ordering::Relaxed);
        }
    }

    /// Whether any request has matched it.
    pub(super) fn has_matched(&self) -> bool {
        self.matched.load(Ordering::Relaxed)
    }
}
