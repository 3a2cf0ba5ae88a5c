//! A verifier that counts its checks and returns configured answers.

use std::{
    convert::Infallible,
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tower::Service;
use tower_jverify::{Check, CheckKind, Class, Question, Risk, Verdict};

type Answer = Arc<dyn Fn(&Check) -> Option<Verdict> + Send + Sync>;

/// Clones share their memory.
#[derive(Clone)]
pub(crate) struct Verifier {
    answer: Answer,
    asked: Arc<Mutex<Vec<Check>>>,
}

impl Verifier {
    /// Answers each check as the closure says; `None` never answers.
    pub(crate) fn answering(answer: impl Fn(&Check) -> Option<Verdict> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default() }
    }

    /// Passes everything, with a low risk and the phone of a one-tap login.
    pub(crate) fn passing() -> Self {
        Self::of_class(Class::Passed)
    }

    /// Answers everything with one class.
    pub(crate) fn of_class(class: Class) -> Self {
        Self::answering(move |check| {
            let verdict = Verdict::new(check.kind(), class).with_id(117_270_465_679_982_592);
            Some(match check.question() {
                Question::Captcha { .. } => verdict,
                _ => verdict.with_risk(Risk::from_score(0, Vec::new())),
            })
        })
    }

    /// Never answers.
    pub(crate) fn silent() -> Self {
        Self::answering(|_| None)
    }

    /// How many there are, this one included.
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.asked)
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<Check> {
        self.asked.lock().unwrap().clone()
    }

    /// The kinds of what it was asked.
    pub(crate) fn kinds(&self) -> Vec<CheckKind> {
        self.asked().iter().map(Check::kind).collect()
    }
}

impl Service<Check> for Verifier {
    type Response = Verdict;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Verdict, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, check: Check) -> Self::Future {
        let answer = (self.answer)(&check);
        self.asked.lock().unwrap().push(check);
        Box::pin(async move {
            match answer {
                Some(verdict) => Ok(verdict),
                None => pending().await,
            }
        })
    }
}
