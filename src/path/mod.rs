//! Which guarded entry does this path mean, *in any reading a backend may have*?
//!
//! A rule guards `POST /login`. Whoever wants past it does not ask for `/login`: they ask for `//login`,
//! `/x/%2e%2e/login`, `/login;a=1`, `/%6Cogin`, `/login%5C` or `/%256Cogin`, and hope that the guard reads the path one
//! way and the application another. So a path is never compared as it came. Three things can happen to it:
//!
//! 1. It is **plain**: ASCII with nothing to decode, cut or resolve. It has one reading, found in one pass over the
//!    bytes without allocating. Nearly every request ends here.
//! 2. It has **one meaning in several spellings** (an escaped letter, dot segments, doubled slashes, `;x`). The
//!    canonical reading decodes once and resolves all of that; beside it stand the readings of backends that leave some
//!    of it undone. If all that are in the table are the same entry, that entry guards the request.
//! 3. It **can be read in several ways** (an encoded slash, a backslash, NUL, double encoding, broken UTF-8, …). If
//!    any reading is in the table the answer is [`Found::Ambiguous`], and the request is refused.
//!
//! | file | subject |
//! |---|---|
//! | `pattern` | a rule's path, checked when the rule is written |
//! | `plain` | the one pass that tells whether a path is plain |
//! | `decode` | percent escapes: once, and to the end |
//! | `segments` | slashes, dots and `;x` |
//! | `readings` | all readings of a path that is not plain, bounded |
//! | `exact` | exact paths, and how most requests are told from all of them without a hash |
//! | `route_parameters` | query parameters by which frameworks route |
//! | `table` | `Pattern` to entry, and the verdict over all readings |

mod decode;
mod exact;
mod foreign;
mod letters;
mod meter;
#[cfg(test)]
mod oracle;
mod pattern;
mod plain;
#[cfg(test)]
mod properties;
mod readings;
mod resolve;
mod route_parameters;
mod segments;
mod skeleton;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use self::{
    pattern::Pattern,
    route_parameters::RouteParameters,
    table::{Found, Table},
};
