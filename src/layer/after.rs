//! What follows when the inner service has answered.

use http::StatusCode;

/// Called with the status of the inner service's answer; `None` if it failed. Dropped before, there is no answer: the client has
/// left.
pub(super) type AfterInner = Box<dyn FnOnce(Option<StatusCode>) + Send>;
