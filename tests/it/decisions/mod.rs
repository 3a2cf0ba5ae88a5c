//! How the answers of JPush become decisions: the real client, the real layer, and the sandbox instead of JPush.

mod answers;
mod bindings;
mod context;
mod exhaustion;
mod explained;
mod fallbacks;
mod one_tap;
mod order;
mod outages;
mod respond;
mod respond_later;
mod risk;
mod same_layer;
mod shown;
mod stacked;
mod tags;
mod trusted;
mod verifiers;

use tower_jverify::Class;

/// All of them.
pub(crate) const CLASSES: [Class; 12] = [
    Class::Passed,
    Class::Rejected,
    Class::Stale,
    Class::Inconclusive,
    Class::Throttled,
    Class::Quota,
    Class::Account,
    Class::Misconfigured,
    Class::Invalid,
    Class::Unavailable,
    Class::Unreadable,
    Class::Unknown,
];

/// What every test's proofs claim, unless said.
const PHONE: &str = "13800000000";
