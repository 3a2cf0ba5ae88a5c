//! Handles methods that no rule of a path names, in front of a backend that may ignore the method.
//!
//! Django's views, PHP's scripts and Go's handlers run `PUT /login` as they run `POST /login`, and PHP's `$_REQUEST`, Flask's
//! `request.values` and Spring's `@RequestParam` read a login in `GET /login?phone=…&token=…`. So on a guarded path only these
//! pass: a bare GET or HEAD, a CORS preflight, and what [`Rule::other_methods`](super::Rule::other_methods) lists.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, header};
use http_body::Body;

use super::{
    group::Group,
    spec::{Rule, is_same},
    state::RuleState,
};
use crate::{
    body::Limits,
    denial::{DenialReason, Refusal},
    foreign_backend::{ForeignBackend, Suspicion},
    headers::overrides_method,
    proof::names_a_method,
    reading::Sent,
};

/// A request that no rule guards although its path is, or may be, guarded.
pub(crate) struct Unnamed<'r> {
    /// The groups that guard the path for other methods. For an ambiguous path, the groups of all its readings.
    groups: Vec<&'r Arc<Group>>,
    /// The methods that rules of the path name.
    named: Vec<&'r Method>,
    /// Set if the path may be a guarded one: then only a request that cannot be a login passes.
    doubt: Option<Doubt>,
    /// Whether methods that no rule names are refused.
    is_strict: bool,
    /// The group that guards the request if it passes.
    otherwise: Option<&'r Arc<Group>>,
}

/// Whether a request that passes is known to have no body.
pub(crate) enum Bodiless {
    /// Nothing depends on its body, or it has none.
    Certain,
    /// Its body has not ended, and may be empty: over HTTP/2 a client may end a request without a body with an empty DATA frame.
    IfItEnds(IfItEnds),
}

/// A request that passes only if its body ends without data and trailers.
pub(crate) struct IfItEnds {
    /// The answer to a request with a body.
    pub(crate) otherwise: Refusal,
    /// The bounds of the wait, for a body of no bytes.
    pub(crate) limits: Limits,
}

/// The path can be read as a guarded one. Contains the class of suspicion if only a foreign backend reads it so.
#[derive(Clone, Copy)]
struct Doubt(Option<Suspicion>);

// === impl IfItEnds ===

impl IfItEnds {
    /// Waits within the bounds of this group.
    pub(crate) fn of(group: &Group, otherwise: Refusal) -> Self {
        Self { otherwise, limits: Limits { bytes: 0, ..group.reading().limits().clone() } }
    }
}

// === impl Unnamed ===

impl<'r> Unnamed<'r> {
    /// A guarded path, with each method that its rules name and the group that guards it.
    pub(super) fn on_a_guarded_path(
        rules: impl IntoIterator<Item = (&'r Method, &'r Arc<Group>)>,
        is_strict: bool,
    ) -> Self {
        let (named, groups) = rules.into_iter().unzip();
        Self { groups, named, doubt: None, is_strict, otherwise: None }
    }

    /// A path that may be one of these. `otherwise` guards the request if it passes.
    pub(super) fn in_doubt(
        groups: Vec<&'r Arc<Group>>,
        suspicion: Option<Suspicion>,
        otherwise: Option<&'r Arc<Group>>,
    ) -> Self {
        Self { groups, named: Vec::new(), doubt: Some(Doubt(suspicion)), is_strict: true, otherwise }
    }

    /// Whether the request passes, also if its body has not ended.
    ///
    /// # Errors
    ///
    /// `path_ambiguous` if the path is only possibly guarded; otherwise `method_not_allowed`, or `proof_malformed` and
    /// `upgrade_refused` for a GET or HEAD that some backend may treat as a login or a tunnel.
    pub(crate) fn check<B: Body>(&self, request: &Request<B>) -> Result<Bodiless, Refusal> {
        if let Some(Doubt(suspicion)) = self.doubt {
            let of_path = |_| Refusal::of_path(suspicion);
            return match self.check_bare(request).map_err(of_path)? {
                Bodiless::IfItEnds(wait) => {
                    Ok(Bodiless::IfItEnds(IfItEnds { otherwise: of_path(wait.otherwise), ..wait }))
                }
                Bodiless::Certain => Ok(Bodiless::Certain),
            };
        }
        if !self.is_strict {
            return Ok(Bodiless::Certain);
        }
        if self.is_handled_elsewhere(request.method()) {
            return match request.uri().query() {
                Some(query) if names_a_method(query) => Err(Self::of_method_in_query()),
                _ => Ok(Bodiless::Certain),
            };
        }
        // A script that ignores the method also reads a login in the query of an OPTIONS.
        let has_proof = || self.groups.iter().any(|group| has_proof_in_head(group, request));
        match (preflight(request), self.groups.first()) {
            (Some(Preflight::Certain), _) if !has_proof() => Ok(Bodiless::Certain),
            (Some(Preflight::IfItEnds), Some(group)) if !has_proof() => {
                Ok(Bodiless::IfItEnds(IfItEnds::of(group, Self::of_another_method())))
            }
            _ => self.check_bare(request),
        }
    }

    /// Whether the request is a GET or HEAD in which no backend finds a login.
    fn check_bare<B: Body>(&self, request: &Request<B>) -> Result<Bodiless, Refusal> {
        let refuse = |reason, detail| Err(suspected(reason, detail));
        let with_body = || suspected(DenialReason::MethodNotAllowed, "a GET or HEAD with a body on a guarded path");
        let is_one_of = |methods: [&Method; 2]| methods.iter().any(|method| is_same(method, request.method()));
        if !is_one_of([&Method::GET, &Method::HEAD]) {
            return Err(Self::of_another_method());
        }
        let bodiless = match (Sent::of(request.headers(), request.body()), self.groups.first(), self.otherwise) {
            (Sent::Nothing, ..) => Bodiless::Certain,
            (Sent::MaybeNothing, Some(group), None) => Bodiless::IfItEnds(IfItEnds::of(group, with_body())),
            (Sent::MaybeNothing | Sent::Something, ..) => return Err(with_body()),
        };
        if request.headers().contains_key(header::UPGRADE) {
            return refuse(DenialReason::Upgrade, "an Upgrade header of a GET or HEAD on a guarded path");
        }
        if self.groups.iter().any(|group| group.reading().plan().is_in_headers(request.headers())) {
            return refuse(
                DenialReason::ProofMalformed,
                "a header that the rule reads, with a method that it does not name",
            );
        }
        let Some(query) = request.uri().query() else { return Ok(bodiless) };
        if self.groups.iter().any(|group| group.reading().plan().is_in_query(query)) {
            return refuse(
                DenialReason::ProofMalformed,
                "a name that the rule reads, in the query of a method that it does not name",
            );
        }
        if names_a_method(query) {
            return Err(Self::of_method_in_query());
        }
        Ok(bodiless)
    }

    fn of_another_method() -> Refusal {
        suspected(DenialReason::MethodNotAllowed, "a method that no rule of the path names")
    }

    fn of_method_in_query() -> Refusal {
        suspected(DenialReason::ProofMalformed, "another method in the query")
    }

    fn is_handled_elsewhere(&self, method: &Method) -> bool {
        self.groups.iter().flat_map(|group| group.other_methods()).any(|other| is_same(other, method))
    }

    /// The value of `Allow`.
    pub(crate) fn allow(&self) -> Option<HeaderValue> {
        let others = self.groups.iter().flat_map(|group| group.other_methods());
        let mut methods: Vec<&str> = Vec::new();
        for method in self.named.iter().copied().chain([&Method::GET, &Method::HEAD, &Method::OPTIONS]).chain(others) {
            if !methods.iter().any(|known| known.eq_ignore_ascii_case(method.as_str())) {
                methods.push(method.as_str());
            }
        }
        HeaderValue::try_from(methods.join(", ")).ok()
    }

    /// What guards the path for other methods.
    pub(crate) fn groups(&self) -> &[&'r Arc<Group>] {
        &self.groups
    }

    /// The group that guards the request if it passes.
    pub(crate) fn otherwise(&self) -> Option<&'r Arc<Group>> {
        self.otherwise
    }

    /// The rules to name in a refusal, if it is certain which path is meant.
    pub(crate) fn first_group(&self) -> Option<&'r Arc<Group>> {
        let groups = if self.doubt.is_none() { self.groups.as_slice() } else { &[] };
        groups.first().copied()
    }
}

/// A request that, without a body, can only be a CORS preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preflight {
    Certain,
    /// Its body has not ended, and may be empty.
    IfItEnds,
}

/// Whether the request can only be a CORS preflight: no body, and nothing that overrides the method for some backend.
pub(crate) fn preflight<B: Body>(request: &Request<B>) -> Option<Preflight> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    let headers = request.headers();
    // A preflight needs no escape.
    let overridden = request.uri().query().is_some_and(|query| query.contains('%') || names_a_method(query));
    let is_one = !overridden
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && !headers.keys().any(|name| overrides_method(name.as_str()));
    match Sent::of(headers, request.body()) {
        Sent::Nothing if is_one => Some(Preflight::Certain),
        Sent::MaybeNothing if is_one => Some(Preflight::IfItEnds),
        _ => None,
    }
}

/// Whether the head has a header that these rules read, or a name in the query from which a backend may read a login.
pub(crate) fn has_proof_in_head<B>(group: &Group, request: &Request<B>) -> bool {
    let plan = group.reading().plan();
    plan.is_in_headers(request.headers()) || request.uri().query().is_some_and(|query| plan.is_in_query(query))
}

fn suspected(reason: DenialReason, detail: &'static str) -> Refusal {
    Refusal::new(reason).with_detail(detail).with_suspicion(Suspicion::OtherMethod)
}

impl Group {
    /// Makes the group refuse requests in which a parameter names another method, if that may choose another rule: if the rules of
    /// its pattern (`rules`) differ in their methods.
    pub(super) fn heeding_methods(mut self, rules: &[(&Rule, Arc<RuleState>)], foreign: &ForeignBackend) -> Self {
        let mut methods = rules.iter().map(|(rule, _)| &rule.methods);
        let first = methods.next();
        if foreign.suspects(Suspicion::OtherMethod) && methods.any(|other| Some(other) != first) {
            self.reading = self.reading.refusing_methods();
        }
        self
    }
}
