//! Which settings and verdicts led to an outcome, in words.

use std::fmt;

use super::decided::Decided;

struct Explained<'e, 'd>(&'e Decided<'d>);

// === impl Decided ===

impl Decided<'_> {
    /// The settings and verdicts that led to the outcome, in one line: as
    /// [`Decision::explain`](crate::Decision::explain), also of a request that is refused.
    pub fn explain(&self) -> impl fmt::Display + '_ {
        Explained(self)
    }
}

impl fmt::Display for Explained<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(decided) = self;
        f.write_str(decided.decision())?;
        if let Some(reason) = decided.reason() {
            write!(f, ", {reason}")?;
        }
        match decided.policy {
            Some(policy) if !decided.verdicts.is_empty() => write!(f, ": {}", policy.explain(decided.verdicts)),
            _ => Ok(()),
        }
    }
}
