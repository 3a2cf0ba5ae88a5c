//! Which requests are guarded, and what they must prove.
//!
//! A login that can be reached by a second spelling of its path is not guarded. So a rule matches what a path *means*:
//! `//login`, `/%6cogin`, `/LOGIN/` and `/x/../login` are `/login`, and a path with several meanings is refused if one of
//! them is guarded. The order of the rules never matters; rules for which it would matter are an error of `build()`.
//!
//! ```
//! use tower_jverify::{Field, Rule, captcha, number};
//!
//! let rules = [
//!     // The token and the phone, from the body's `/token` and `/phone`.
//!     Rule::post("/login", number()),
//!     // The captcha first: it costs nothing, and keeps strangers from spending a phone's ten tries a day.
//!     Rule::post("/register", captcha().scene("注册").then(number())),
//!     // Either of the two.
//!     Rule::post("/signin", captcha().or(number())),
//!     // Custom fields, and a browser's token.
//!     Rule::post("/v1/{tenant}/login", number().web().token(Field::header("x-token")).phone(Field::body("/user/phone"))),
//!     // One path, several ways in: `loginType` chooses.
//!     Rule::post("/enter", number()).when(Field::body("/loginType"), "oneclick"),
//!     Rule::post("/enter", captcha()).when(Field::body("/loginType"), "password").otherwise_pass(),
//! ];
//! # let _ = rules;
//! ```

mod applied;
mod ask;
mod by_path;
mod captcha;
mod foreign;
mod group;
mod grpc_answers;
mod limited;
mod limits;
mod meant;
mod methods;
mod mode;
mod nearness;
mod on_demand;
mod pass_at;
mod passes;
mod place;
mod plan;
mod presented;
mod resolved;
mod rollout;
mod routes;
mod setters;
mod settings;
mod shadow;
mod spec;
mod start;
mod state;
mod tester;
mod unless;

pub(crate) use self::{
    applied::{Meant, all_applied, testers},
    group::{Choice, Group, remove_phone_cookies, trailer_filter},
    methods::{Bodiless, IfItEnds, Preflight, has_proof_in_head, preflight},
    place::path_as_written,
    presented::{InHeaders, pass_headers},
    routes::{Match, Routes},
    setters::setting_methods,
    settings::{Overrides, setters, setting_table},
    start::log,
    state::RuleState,
    tester::{Shown, Tester},
};
pub use self::{
    ask::{AnyOf, Ask, Number, OneTap, number, one_tap},
    captcha::{Captcha, captcha},
    mode::Mode,
    rollout::{Rollout, Unit},
    spec::Rule,
};
