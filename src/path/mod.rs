//! Which guarded entry does this path mean, *in any reading a backend may have*?
//!
//! A rule guards `POST /login`. A client that wants to bypass it does not request `/login`, but `//login`,
//! `/x/%2e%2e/login`, `/login;a=1`, `/%6Cogin`, `/login%5C` or `/%256Cogin`, and hopes that the guard reads the path
//! in one way and the application in another. So a path is never compared as it came. Each path is one of these:
//!
//! 1. It is **plain**: ASCII with nothing to decode, cut or resolve. It has one reading, found in one pass over the
//!    bytes without allocating. Nearly every request ends here.
//! 2. It is **not plain, and names no rule**: in its most decoded and most folded form, the skeleton, no segment may become
//!    the last literal segment of a rule. Whatever a backend reads in it, no rule applies.
//! 3. It has **one meaning in several spellings** (an escaped letter, dot segments, doubled slashes, `;x`). The
//!    canonical reading decodes once and resolves all of that. Further readings are those of backends that leave some
//!    of it undone. If all readings that are in the table are the same entry, that entry guards the request.
//! 4. It **can be read in several ways** (an encoded slash, a backslash, NUL, double encoding, broken UTF-8, …). If
//!    any reading is in the table, the answer is [`Found::Ambiguous`], and the request is refused.
//!
//! Most paths with escapes, dots or `;x` have one text once they are decoded (see `single`): it is looked up without a skeleton.
//! Reading is paid from a meter. When that is empty the answer is [`Found::Ambiguous`] too: a path that takes so much work
//! was made to confuse. With a foreign backend the skeleton is also read as other frameworks do (see `foreign`).
//!
//! | file | subject |
//! |---|---|
//! | `pattern` | a rule's path, checked when the rule is written |
//! | `routers` | patterns as other routers write them, which are refused, and escapes |
//! | `plain` | the one pass that finds whether a path is plain |
//! | `meter` | what deciding the paths of one request may cost |
//! | `buffer` | buffers for texts |
//! | `decode` | percent escapes: once, and to the end |
//! | `letters` | letters that some backend takes for others |
//! | `fold` | texts in lower case |
//! | `skeleton` | the most decoded, most folded form, and what is odd about a path |
//! | `words` | which rules a skeleton names |
//! | `single` | paths that have one text once they are decoded |
//! | `segments` | slashes and dots |
//! | `readings` | what decoding, folding and cutting make of a path, bounded |
//! | `resolve` | what backends do with `;x`, slashes and dots in each of these texts |
//! | `foreign` | what backends of another language read into a path |
//! | `exact` | exact paths, and how most other paths are excluded without a hash |
//! | `parameters` | the values of a pattern's parameters, if all readings agree on them |
//! | `route_parameters` | query parameters by which frameworks route |
//! | `actions` | query parameters that carry the action that a framework runs |
//! | `meant` | whether a path may mean one of several tables |
//! | `table` | `Pattern` to entry, and what plain paths mean |
//! | `decide` | what other paths mean: the verdict over all readings |
//! | `oracle` | for tests: all readings, unbounded |

mod actions;
mod buffer;
mod decide;
mod decode;
mod exact;
mod fold;
mod foreign;
mod letters;
mod meant;
mod meter;
#[cfg(test)]
mod oracle;
mod parameters;
mod pattern;
mod plain;
#[cfg(test)]
mod properties;
mod readings;
mod resolve;
mod route_parameters;
mod routers;
mod segments;
mod single;
mod skeleton;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use self::{
    meter::Meter,
    parameters::{ParameterValues, Parameters, Unclear},
    pattern::Pattern,
    route_parameters::RouteParameters,
    table::{Found, Table},
};
