//! Query parameters by which frameworks route: `ThinkPHP`'s `?s=/login` is `/login` whatever the path says.
//!
//! | parameter | who routes by it |
//! |---|---|
//! | `s` | `ThinkPHP` (`var_pathinfo`) |
//! | `r`, `route` | Yii's `UrlManager::$routeParam`, `OpenCart` |
//! | `rest_route` | `WordPress` |
//! | `_url` | Phalcon |
//! | `_path` | Symfony's fragments |
//! | `__pathname`, `__isr_route`, `x_astro_path` | `SvelteKit`, Nitro and Astro, as they are built for Vercel |
//! | `q`, with a slash in front | Drupal 6, `RewriteRule ^(.*)$ index.php?q=$1` |
//! | none: a pair that begins with a slash | `CodeIgniter` (`?/login`), and what a rewritten `index.php?/login` leaves |
//!
//! Names are compared as PHP converts them to variables: leading spaces and all from `[` on are removed, other marks become `_`.
//! Parameters whose name carries an action are in `actions`. Not covered: routes in two parameters (`m=user&c=login`), and routes
//! of a framework's own form (`user/login` for `/login`).

use std::borrow::Cow;

use super::{
    actions::{action, is_in_value, may_be_action},
    buffer::buffer,
    decode::{Escapes, once},
    meter::{Exhausted, Meter},
    table::{Found, Table},
};
use crate::{
    bytewise::count,
    error::ConfigError,
    foreign_backend::{ForeignBackend, Suspicion},
};

/// The known names, and whether a value counts only with a slash in front, because `q` is also a search.
const USUAL: [(&str, bool); 10] = [
    ("s", false),
    ("r", false),
    ("route", false),
    ("rest_route", false),
    ("_url", false),
    ("_path", false),
    ("__pathname", false),
    ("__isr_route", false),
    ("x_astro_path", false),
    ("q", true),
];

/// The names of the parameters by which a backend may route.
#[derive(Debug)]
pub(crate) struct RouteParameters(Vec<(Box<str>, bool)>);

// === impl RouteParameters ===

impl RouteParameters {
    /// The usual names, or those that the user gives; `None` if this class is off.
    ///
    /// # Errors
    ///
    /// Names `foreign_backend.route_parameters` if no name is given, or if nothing of a name is left to compare.
    pub(crate) fn of(foreign: &ForeignBackend) -> Result<Option<Self>, ConfigError> {
        if !foreign.suspects(Suspicion::RouteParameter) {
            return Ok(None);
        }
        let setting = "foreign_backend.route_parameters";
        let Some(own) = foreign.own_route_parameters() else {
            return Ok(Some(Self(USUAL.map(|(name, rooted)| (name.into(), rooted)).into())));
        };
        if own.is_empty() {
            return Err(ConfigError::unshown(
                setting,
                "no name is given: without_route_parameters() switches this off",
            ));
        }
        let mut names = Vec::with_capacity(own.len());
        for name in own {
            let folded = variable(&decoded(name));
            if folded.is_empty() {
                return Err(ConfigError::new(setting, &**name, "this names no parameter"));
            }
            names.push((folded.into(), false));
        }
        Ok(Some(Self(names)))
    }

    /// Returns whether the value counts only with a slash in front, if this decoded name is that of a routing parameter.
    fn get(&self, name: &str) -> Option<bool> {
        // Nearly every name.
        let name = if is_variable(name) { name } else { cut_to_variable(name) };
        let found = if name.is_ascii() {
            self.0.iter().find(|(known, _)| {
                let alike = |(one, other): (u8, u8)| one.eq_ignore_ascii_case(&of_variable(other));
                known.len() == name.len() && known.bytes().zip(name.bytes()).all(alike)
            })
        } else {
            let name = variable(name);
            self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))
        };
        found.map(|(_, rooted)| *rooted)
    }
}

// === impl Table ===

impl<T> Table<T> {
    /// What the routing parameters of a query mean, as paths: [`Found::One`] or [`Found::Ambiguous`] if any of them may be
    /// one in the table. Two that mean different entries are ambiguous.
    pub(crate) fn find_in_query(&self, query: &str, parameters: &RouteParameters, meter: &mut Meter) -> Found<'_, T> {
        let mut found = Found::Nothing;
        // A method without a rule has an empty table.
        let mut rest = self.entries().next().map(|_| query);
        while let Some(text) = rest {
            let (pair, after) = cut(text, |byte| matches!(byte, b'&' | b';' | b'?'));
            rest = after;
            found = match (found, self.find_in_pair(pair, parameters, meter)) {
                (found, Ok(None)) => found,
                (Found::Nothing, Ok(Some(route))) | (route, Ok(Some(Found::Nothing))) => route,
                (Found::One(one), Ok(Some(Found::One(other)))) if std::ptr::eq(one, other) => Found::One(one),
                _ => return Found::Ambiguous(Some(Suspicion::RouteParameter)),
            };
        }
        found
    }

    /// What one pair of a query means; `None` if it is not a route.
    fn find_in_pair(
        &self,
        pair: &str,
        parameters: &RouteParameters,
        meter: &mut Meter,
    ) -> Result<Option<Found<'_, T>>, Exhausted> {
        meter.spend(400 + pair.len() * 36)?;
        let (name, value) = cut(pair, |byte| byte == b'=');
        let value = value.unwrap_or_default();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let decoded_name;
        let name = if is_plain {
            name
        } else {
            decoded_name = decoded_within(name, meter)?;
            &*decoded_name
        };
        if !name.is_ascii() {
            meter.spend(name.len() * 120)?;
        }
        let value = match parameters.get(name) {
            Some(rooted) => {
                let value = decoded_within(value, meter)?;
                if rooted && !is_rooted(&value) {
                    return Ok(None);
                }
                value
            }
            // Nearly every parameter.
            None if is_variable(name) && !may_be_action(name) => return Ok(None),
            // `CodeIgniter` and rewritten front controllers: the pair is the path.
            None if is_rooted(name) => Cow::Borrowed(name),
            None => {
                let value = if is_in_value(name) { decoded_within(value, meter)? } else { Cow::Borrowed("") };
                return match action(name, &value) {
                    Some(action) if self.has_action(action, meter)? => {
                        Ok(Some(Found::Ambiguous(Some(Suspicion::RouteParameter))))
                    }
                    Some(_) | None => Ok(None),
                };
            }
        };
        meter.spend(500)?;
        Ok(Some(self.find_route(&value, meter)))
    }

    /// What a route means: with and without a slash in front, with and without a query, and as a whole URL.
    fn find_route(&self, value: &str, meter: &mut Meter) -> Found<'_, T> {
        let value = value.trim();
        // Not by `str::find`, as in `cut`.
        let scheme = value.as_bytes().windows(3).position(|three| three == b"://");
        let value = match scheme.and_then(|at| value.get(at + 3..)) {
            Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => value,
        };
        let end = value.bytes().position(|byte| matches!(byte, b'?' | b'#' | b'&')).unwrap_or(value.len());
        let path = value.get(..end).unwrap_or_default();
        if path.is_empty() || path.bytes().all(|byte| byte == b'/') {
            // The start page: what the path itself says.
            return Found::Nothing;
        }
        if path.starts_with('/') { self.find_within(path, meter) } else { self.find_within(&format!("/{path}"), meter) }
    }
}

/// The text before the first byte that `is_end` accepts, which is ASCII, and the text after it. `split_once` takes longer to begin
/// than most pairs are long.
fn cut(text: &str, is_end: impl Fn(u8) -> bool) -> (&str, Option<&str>) {
    let at = text.bytes().position(is_end).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..))
}

fn is_rooted(value: &str) -> bool {
    value.trim_start().starts_with(['/', '\\'])
}

/// As [`decoded`], if there is enough work left.
fn decoded_within<'t>(text: &'t str, meter: &mut Meter) -> Result<Cow<'t, str>, Exhausted> {
    meter.spend(800 + text.len() * 10 + count(text.as_bytes(), b'%') * 80)?;
    Ok(decoded(text))
}

/// A query's text, decoded once. What is escaped twice is left to the readings of the path.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    let mut decoded = buffer(text.len());
    once(&spaced, Escapes { slash: true, iis: false }, &mut decoded);
    Cow::Owned(
        String::from_utf8(decoded).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned()),
    )
}

/// The variable that PHP makes of a decoded name (`php_register_variable_ex`).
fn variable(name: &str) -> String {
    cut_to_variable(name).replace(|c: char| u8::try_from(c).is_ok_and(|c| of_variable(c) != c), "_").to_lowercase()
}

/// Whether a name is the variable that PHP makes of it, but for its case.
#[inline]
fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The part of a name that the variable is made of.
fn cut_to_variable(name: &str) -> &str {
    let (name, _) = cut(name.trim_start_matches(' '), |byte| byte == 0);
    let end = name.bytes().position(|byte| byte == b'[').filter(|at| *at > 0).unwrap_or(name.len());
    name.get(..end).unwrap_or_default().trim_end().trim_end_matches(['.', ' '])
}

/// What becomes of a byte of a name.
fn of_variable(byte: u8) -> u8 {
    if matches!(byte, b'.' | b' ' | b'-') { b'_' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::super::tests::table;
    use super::*;

    fn means(query: &str) -> bool {
        let table = table(&["/login", "/v1/{tenant}/login"]).foreign_backend(true);
        let parameters = RouteParameters::of(&ForeignBackend::any()).unwrap().unwrap();
        !matches!(table.find_in_query(query, &parameters, &mut Meter::of_request(query.len(), true)), Found::Nothing)
    }

    #[test]
    fn a_routing_parameter_that_reads_as_a_guarded_path_is_one() {
        for query in [
            "s=/login",
            "s=login",
            "S=login",
            "%73=login",
            "s[]=login",
            "s%5B0%5D=login",
            "+s=login",
            "s.=login",
            "x=1&s=login",
            "x=1;s=login",
            "s=x&s=login",
            "r=/login/",
            "route=%2Flogin",
            "route=%2flogin",
            "rest_route=/login",
            "rest.route=/login",
            "rest+route=/login",
            "rest%20route=/login",
            "_url=/LOGIN",
            "_path=//login",
            "q=/login",
            "q=%2flogin",
            "s=%252Flogin",
            "s=%2Fx%2F..%2Flogin",
            "s=index.php/login",
            "s=/login.html",
            "s=/v1/acme/login",
            "s=http://x/login",
            "s=+/login",
            "s=/login?x=1",
            "s=/login%26x",
            "/login",
            "/login=",
            "%2flogin",
            "/login&x=1",
            "x=1&/login",
            "?s=/login",
            "s=/%6Cogin",
            "s=login/index",
        ] {
            assert!(means(query), "{query}");
        }
    }

    #[test]
    fn the_documentation_lists_the_usual_names() {
        let page = include_str!("../foreign_backend.rs");
        let (_, page) = page.split_once("# Query parameters from which").unwrap();
        let (page, _) = page.split_once("# Headers").unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("/// | `")?.split(" | ").next());
        let listed: Vec<&str> =
            rows.flat_map(|names| names.split('`').step_by(2)).filter(|name| !name.contains(' ')).collect();
        assert_eq!(listed, USUAL.map(|(name, _)| name));
    }

    #[test]
    fn what_names_no_route_means_nothing() {
        for query in [
            "",
            "next=/login",
            "q=login",
            "x=/login",
            "s=",
            "s=/",
            "s",
            "ss=/login",
            "s=logins",
            "s=/x/login",
            "redirect=s%3D/login",
        ] {
            assert!(!means(query), "{query}");
        }
    }

    #[test]
    fn custom_names_replace_the_usual_ones_and_must_not_be_empty() {
        let own = |names: &[&str]| RouteParameters::of(&ForeignBackend::any().route_parameters(names.iter().copied()));
        let table = table(&["/login"]);
        let parameters = own(&["page"]).unwrap().unwrap();
        let mut meter = Meter::of_request(10, true);
        assert!(matches!(table.find_in_query("Page=login", &parameters, &mut meter), Found::One(_)));
        assert!(matches!(table.find_in_query("s=login", &parameters, &mut meter), Found::Nothing));
        for names in [&[][..], &[""], &["page", " "], &["[]x", "."]] {
            let error = own(names).unwrap_err();
            assert_eq!(error.setting(), "foreign_backend.route_parameters");
        }
    }
}
