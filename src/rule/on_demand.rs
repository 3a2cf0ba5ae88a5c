//! Rules whose checks the application starts.

use super::{spec::Rule, state::RuleState};
use crate::{error::ConfigError, foreign_backend::ForeignBackend};

// === impl Rule ===

impl Rule {
    /// Lets the application decide when the checks run. The layer reads and validates the proof, refuses a missing or
    /// malformed proof, runs no check, and passes the request on. The handler takes [`Prove`](crate::Prove) and calls
    /// [`Prove::now`](crate::Prove::now) after its own cheap checks, so that a mistyped password costs no paid call and none of the
    /// ten tries a day that JPush allows for a number.
    ///
    /// **Danger:** this is an exception to the layer's first promise. The handler runs before the decision, and **a handler that
    /// never calls `now()` has verified nothing**. The request has `x-jverify-decision: not-asked` and a
    /// [`Decision`](crate::Decision) that is not verified, and [`Verified`](crate::Verified) refuses it. If no clone of `Prove` is used,
    /// the event `not_asked` is written at WARN.
    ///
    /// **The handler holds its resources while the checks run**, such as a permit of a concurrency limit, a database
    /// connection or a transaction. A slow JPush holds them for up to `deadline`, which starts with
    /// `now()`. Take them after `now()`, or set a short `deadline`.
    ///
    /// `build()` returns an error that names the setting if the rule also has `pin_phone`, `canonical_body` or
    /// `forward_phone` (they need the phone before the handler runs), if a `foreign_backend` is set (which cannot call
    /// `now()`), if a rule of the path has [`otherwise_pass`](Self::otherwise_pass) or
    /// [`guard_unless`](Self::guard_unless), or if [`when`](Self::when) chooses between a rule with `on_demand`
    /// and one without.
    ///
    #[cfg_attr(feature = "axum", doc = "```")]
    #[cfg_attr(not(feature = "axum"), doc = "```ignore")]
    /// use axum::{Json, Router, http::StatusCode, response::{IntoResponse, Response}, routing::post};
    /// use tower_jverify::{Prove, Rule, number};
    ///
    /// # #[derive(serde::Deserialize)] struct Login { password: String }
    /// # async fn is_right(_: &str) -> bool { true }
    /// let rule = Rule::post("/login", number()).on_demand();
    ///
    /// async fn login(prove: Prove, Json(login): Json<Login>) -> Result<String, Response> {
    ///     if !is_right(&login.password).await {
    ///         return Err(StatusCode::UNAUTHORIZED.into_response()); // JPush has not been asked
    ///     }
    ///     let verified = prove.now().await.map_err(IntoResponse::into_response)?;
    ///     Ok(format!("welcome, {:?}", verified.phone()))
    /// }
    /// let router: Router = Router::new().route("/login", post(login));
    /// # let _ = (rule, router);
    /// ```
    ///
    /// Default: off.
    pub fn on_demand(mut self) -> Self {
        self.overrides.on_demand = true;
        self
    }
}

/// Refuses settings that need a decision before the application has the request. `rules`: the rules of one group.
///
/// # Errors
///
/// `rule.on_demand`.
pub(super) fn check(
    rules: &[&RuleState],
    otherwise_passes: bool,
    lets_by: bool,
    foreign: &ForeignBackend,
) -> Result<(), ConfigError> {
    let is_mixed = rules.iter().any(|rule| !rule.settings.on_demand);
    for RuleState { name, settings, .. } in rules.iter().filter(|rule| rule.settings.on_demand) {
        let problem = if settings.pin_phone {
            "`pin_phone` writes a proven phone into the body, and the application gets the body before a phone is proven"
        } else if settings.reading.canonical_body {
            "`canonical_body` writes a proven phone into the body, and the application gets the body before a phone is proven"
        } else if settings.forward_phone {
            "`forward_phone` writes a proven phone into the head, and the application gets the head before a phone is proven"
        } else if *foreign != ForeignBackend::none() {
            "a backend of another language (`foreign_backend`) cannot call `Prove::now`"
        } else if otherwise_passes {
            "a rule of the path has `otherwise_pass`: its application could not distinguish calls that are not guarded from calls \
             that are not asked"
        } else if lets_by {
            "a rule of the path has `guard_unless`: a request that it lets pass has no `Prove`, and the handler could not run"
        } else if is_mixed {
            "`when` chooses between this rule and one that is not on demand: all rules of a path are on demand, or none"
        } else {
            continue;
        };
        return Err(ConfigError::new("rule.on_demand", &**name, problem).of_rule(&**name));
    }
    Ok(())
}
