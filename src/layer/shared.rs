//! One set of rules and settings, and the state that survives a reload.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Extensions, HeaderMap, HeaderName, Request, Uri, request::Parts};
use tokio::time::Instant;

use super::{
    prove::Prove,
    source::Source,
    unused::{self, Unused},
};
use crate::{
    body::TrailerFilter,
    decision::{Asked, Decision, insert_not_guarded},
    denial,
    headers::{Header, Names},
    judge::{Guards, Judge, Plan},
    log::event,
    observe::{Listeners, Observers, Pseudonyms, Watched},
    pass::{Signer, Subject},
    rule::{Group, InHeaders, Routes, RuleState, Shown, remove_phone_cookies, trailer_filter},
};

/// The rules and settings of a layer until the next reload.
pub(super) struct Shared<V> {
    pub(super) judge: Judge<V>,
    pub(super) routes: Routes,
    /// For requests without a proof's header.
    pub(super) trailers: TrailerFilter,
    /// For refusals without a known rule.
    pub(super) answers: Arc<denial::Settings>,
    /// Signs assertions about requests in shadow without a known rule.
    assertion: Option<Arc<Signer>>,
    pub(super) observers: Arc<Observers>,
    names: Names,
    /// The headers that passes may be in; `None` if no rule has passes.
    pass_headers: Option<Box<[HeaderName]>>,
    /// The number of services that the layer has wrapped, also under earlier rules.
    mounts: Arc<AtomicUsize>,
    /// The rules and settings from which this was compiled.
    source: Arc<Source>,
    unused: Unused,
}

// === impl Shared ===

impl<V> Shared<V> {
    /// The first rules of a layer.
    pub(super) fn new(
        verifier: V,
        routes: Routes,
        names: Names,
        source: Source,
        guards: Guards,
        (listeners, pseudonyms): (Listeners, Option<Pseudonyms>),
    ) -> Self {
        let rules: Vec<Watched> = routes.states().map(RuleState::watched).collect();
        let observers = Arc::new(Observers::new(listeners, pseudonyms, &rules, guards.counts()));
        let judge = Judge::new(verifier, Arc::clone(&observers), guards);
        Self::of(judge, routes, names, Arc::new(source), observers, Arc::default())
    }

    /// The rules of another layer, compiled again with the state of this one.
    pub(super) fn reloaded(&self, new: &Self) -> Self
    where
        V: Clone,
    {
        let guards = new.source.guards.as_ref().unwrap_or_else(|| self.judge.guards());
        let compiled = new.source.compile(guards, Some(&self.routes));
        let (routes, names) = compiled.expect("they were compiled when `new` was built");
        let rules: Vec<Watched> = routes.states().map(RuleState::watched).collect();
        let observers = Arc::new(new.observers.counting_in(guards.counts(), &rules));
        let judge = self.judge.reloaded(new.judge.verifier().clone(), Arc::clone(&observers), guards.clone());
        let (source, mounts) = (Arc::clone(&new.source), Arc::clone(&self.mounts));
        Self::of(judge, routes, names, source, observers, mounts)
    }

    /// Logs the rules that replace `old`.
    pub(super) fn log_reload(&self, old: &Self) {
        self.source.log_reload(&old.routes, &self.routes, self.judge.guards());
    }

    fn of(
        judge: Judge<V>,
        routes: Routes,
        names: Names,
        source: Arc<Source>,
        observers: Arc<Observers>,
        mounts: Arc<AtomicUsize>,
    ) -> Self {
        let trailers = trailer_filter(&names, &[]);
        let (answers, assertion, unused) = (Arc::clone(&routes.answers), source.signer(), Unused::of(&routes));
        let pass_headers = Some(source.pass_headers(&names)).filter(|headers| !headers.is_empty()).map(Into::into);
        Self { judge, routes, trailers, answers, assertion, observers, names, pass_headers, mounts, source, unused }
    }

    /// Counts a wrapped service.
    pub(super) fn mount(&self) {
        self.mounts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_mounted(&self) -> bool {
        self.mounts.load(Ordering::Relaxed) > 0
    }

    /// Logs the rules that no request has matched in a day. `began`: the arrival of this guarded request.
    #[inline]
    pub(super) fn look_for_unused(&self, began: Instant) {
        if self.unused.is_due(began) {
            self.unused.report(&self.routes, began);
        }
    }

    /// Logs the rules that no request has matched so far.
    pub(super) fn report_unused(&self) {
        unused::report_at_the_end(&self.routes);
    }

    /// The value by which an inner service of this layer recognises the checks of a request. `None` if the layer has
    /// wrapped only one service, because the hash would never be compared.
    pub(super) fn asked(&self, rule: &Arc<str>, plan: &Plan) -> Option<Asked> {
        (self.mounts.load(Ordering::Relaxed) > 1).then(|| Asked::new(rule, plan))
    }

    /// Makes the head of a request without a decision of this layer safe to pass on: removes headers under our prefix.
    ///
    /// An existing decision is trusted, because only an outer layer in this process can have inserted it. Its headers
    /// are then written again from the decision alone.
    #[inline]
    pub(super) fn pass(&self, headers: &mut HeaderMap, outer: Option<&Decision>) {
        match outer {
            None => self.names.strip(headers),
            Some(outer) => self.write(headers, outer),
        }
    }

    /// As [`Shared::pass`], for a request that no rule guards because of its value of `when`: marks the head as not
    /// guarded, unless an outer layer has decided.
    pub(super) fn pass_not_guarded(&self, headers: &mut HeaderMap, outer: Option<&Decision>) {
        self.pass(headers, outer);
        if outer.is_none() {
            insert_not_guarded(&self.names, headers);
        }
    }

    /// As [`Shared::pass`], for a request whose head has already been stripped.
    #[inline]
    pub(super) fn pass_stripped(&self, headers: &mut HeaderMap, outer: Option<&Decision>) {
        if let Some(outer) = outer {
            self.write(headers, outer);
        }
    }

    /// The headers of testers that a request has, before they are removed.
    #[inline]
    pub(super) fn shown(&self, headers: &HeaderMap) -> Option<Shown> {
        self.names.hidden().and_then(|testers| Shown::of(headers, testers))
    }

    /// The passes in the head of a request, before they are removed. If an outer service of this layer has removed them, they are in an extension.
    #[inline]
    pub(super) fn in_headers(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<InHeaders> {
        let names = self.pass_headers.as_ref()?;
        InHeaders::of(headers, names).or_else(|| extensions.get::<InHeaders>().cloned())
    }

    /// Keeps the passes of the head for the services further in, which must find the same proofs: the headers are removed.
    #[inline]
    pub(super) fn keep(&self, asked: Option<&Asked>, in_headers: Option<&InHeaders>, extensions: &mut Extensions) {
        if self.pass_headers.is_some()
            && let Some((_, in_headers)) = asked.zip(in_headers)
        {
            extensions.insert(in_headers.clone());
        }
    }

    /// The header of the passes that are issued.
    pub(super) fn pass_header(&self) -> &HeaderName {
        self.names.name(Header::Pass)
    }

    /// Removes the headers that no request may carry to the inner service.
    #[inline]
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        self.names.strip(headers);
    }

    /// Whether the request asks for a tunnel in which the layer would see no request.
    #[inline]
    pub(super) fn refuses_tunnel<B>(&self, request: &Request<B>) -> bool {
        self.names.refuses_tunnel(request.method(), request.uri())
    }

    /// Removes what a request for a path of these groups must not carry to a foreign backend.
    pub(super) fn strip_for(&self, groups: &[&Arc<Group>], headers: &mut HeaderMap) {
        self.names.strip_overrides(headers);
        remove_phone_cookies(groups, headers);
    }

    /// Removes the host of a URI if it is more than a host.
    #[inline]
    pub(super) fn strip_host(&self, uri: &mut Uri) {
        self.names.strip_host(uri);
    }

    /// As [`Shared::strip_for`], for a request that may be for any path.
    #[cold]
    pub(super) fn strip_for_all(&self, headers: &mut HeaderMap) {
        if self.routes.are_before_foreign() {
            self.strip_for(&self.routes.all_groups(), headers);
        }
    }

    /// Writes the head of a request that a decision lets through. If an outer layer has made a decision, the two are
    /// merged. `rule`: if it is known. `body`: what the inner service receives, if all of it is known.
    pub(super) fn decided(
        &self,
        parts: &mut Parts,
        decision: Decision,
        forward_phone: bool,
        rule: Option<&RuleState>,
        body: Option<&[u8]>,
    ) -> Decision {
        let decision = if forward_phone { decision.forwarding_phone() } else { decision };
        let decision = match parts.extensions.get::<Decision>() {
            None => decision,
            Some(outer) => {
                let merged = decision.merged_with(outer);
                Prove::take_in(&mut parts.extensions, decision);
                merged
            }
        };
        let decision = match rule.map_or(&self.assertion, |rule| &rule.settings.assertion) {
            None => decision,
            Some(signer) => asserted(signer, decision, rule, parts, body),
        };
        self.write(&mut parts.headers, &decision);
        parts.extensions.insert(decision.clone());
        decision
    }

    /// Writes the head of a request that is passed on before its checks. Its headers under our prefix have been stripped.
    pub(super) fn not_asked(&self, parts: &mut Parts, asked: Option<Asked>) {
        let decision = Decision::not_asked(asked).within(parts.extensions.get());
        decision.insert_headers(&self.names, &mut parts.headers);
        parts.extensions.insert(decision);
    }

    fn write(&self, headers: &mut HeaderMap, decision: &Decision) {
        self.names.strip(headers);
        decision.insert_headers(&self.names, headers);
    }
}

/// Signs the decision about a request.
#[cold]
fn asserted(
    signer: &Signer,
    decision: Decision,
    rule: Option<&RuleState>,
    head: &Parts,
    body: Option<&[u8]>,
) -> Decision {
    let rule = rule.map(|rule| &*rule.name);
    let subject = Subject { decision: &decision, rule, method: &head.method, path: head.uri.path(), body };
    let Some(assertion) = signer.sign(&subject) else {
        event!(ERROR, rule, "an assertion could not be signed: the backend will refuse this request");
        return decision;
    };
    decision.asserted(assertion)
}
