//! The parameters of a path, where all its readings agree on them.
//!
//! A tenant's login is verified with the tenant's key. The owner of one tenant must not prove a phone with that key
//! and log in at another tenant. A backend may read `/v1/mine/../other/login`, `/v1/mine;/other/login` and
//! `/v1/ｏther/login` in another way than the layer. So all readings of the path that the pattern matches must have
//! the same parameters. Case is kept, as the application sees it.

use std::sync::Arc;

use super::{
    decode::{Escapes, once},
    foreign,
    letters::fold,
    meter::Meter,
    pattern::Pattern,
    plain::{Shape, shape},
    resolve::{Way, write},
    table::{Found, Table},
};

/// The parameters of a pattern: those that are one segment each. `{*rest}` is several segments, which backends join in several
/// ways, so it has no value.
#[derive(Debug)]
pub(crate) struct Parameters {
    pattern: Pattern,
    segments: Box<[Segment]>,
    /// The backend may read scripts and extensions into a path.
    foreign_backend: bool,
}

#[derive(Debug)]
enum Segment {
    /// Folded.
    Literal(Box<str>),
    Parameter(Arc<str>),
    /// All segments to the end.
    Rest,
}

/// Names and values, in the order of the path.
pub(crate) type ParameterValues = Vec<(Arc<str>, Box<str>)>;

/// Not all readings of a path have the same parameters.
#[derive(Debug)]
pub(crate) struct Unclear;

// === impl Parameters ===

impl Parameters {
    /// `None` of a pattern that has none. `foreign_backend`: as [`Table::foreign_backend`].
    pub(crate) fn of(pattern: &Pattern, foreign_backend: bool) -> Option<Self> {
        if pattern.is_exact() {
            return None;
        }
        let segment = |segment: &str| {
            // A parameter is a whole segment; a literal brace is doubled.
            match segment.strip_prefix('{').filter(|rest| !rest.starts_with('{')) {
                Some(name) if name.starts_with('*') => Segment::Rest,
                Some(name) => Segment::Parameter(name.strip_suffix('}').unwrap_or(name).into()),
                None => Segment::Literal(segment.replace("{{", "{").replace("}}", "}").into()),
            }
        };
        let segments: Box<[Segment]> = pattern.key().split('/').skip(1).map(segment).collect();
        let has_any = segments.iter().any(|segment| matches!(segment, Segment::Parameter(_)));
        has_any.then(|| Self { pattern: pattern.clone(), segments, foreign_backend })
    }

    /// The values in a path as it was received; `None` if the pattern does not match it in any reading.
    ///
    /// # Errors
    ///
    /// Readings of the path differ in them.
    pub(crate) fn values(&self, path: &str) -> Result<Option<ParameterValues>, Unclear> {
        match shape(path) {
            Shape::Plain(path) | Shape::Foldable(path) if !(self.foreign_backend && has_marks(path)) => {
                Ok(self.values_in(path))
            }
            Shape::Plain(_) | Shape::Foldable(_) | Shape::Unresolved | Shape::Other => {
                self.values_of_all_readings(path)
            }
        }
    }

    #[cold]
    fn values_of_all_readings(&self, path: &str) -> Result<Option<ParameterValues>, Unclear> {
        let canonical = canonical(path).ok_or(Unclear)?;
        let values = self.values_in(&canonical);
        // The canonical reading, next to the pattern: a reading with other parameters is another entry.
        let reading = values.as_ref().map(|_| (Pattern::of_text(&folded(&canonical)), true));
        let entries = reading.into_iter().chain([(self.pattern.clone(), false)]);
        let table = Table::build(entries).map_err(|_| Unclear)?.foreign_backend(self.foreign_backend);
        // More than a table has for a path, because no words spare a look-up here; as linear in its length.
        let mut meter = Meter::new(12_000 + 60 * path.len());
        match table.looking_all_up().find_within(path, &mut meter) {
            Found::Nothing if values.is_none() => Ok(None),
            Found::One(true) => Ok(values),
            Found::Nothing | Found::One(false) | Found::Ambiguous(_) => Err(Unclear),
        }
    }

    /// The values in one reading.
    fn values_in(&self, reading: &str) -> Option<ParameterValues> {
        let mut values = ParameterValues::new();
        let mut found = reading.split('/').skip(1);
        for segment in &self.segments {
            let text = found.next()?;
            match segment {
                Segment::Literal(literal) if is_folded_to(text, literal) => {}
                Segment::Parameter(name) if !text.is_empty() => values.push((Arc::clone(name), text.into())),
                Segment::Rest if !text.is_empty() => return Some(values),
                Segment::Literal(_) | Segment::Parameter(_) | Segment::Rest => return None,
            }
        }
        found.next().is_none().then_some(values)
    }
}

/// The path decoded once, without parameters of segments, doubled slashes, dot segments and a trailing slash. `None`
/// if it is not UTF-8.
fn canonical(path: &str) -> Option<String> {
    let (mut decoded, mut resolved) = (Vec::with_capacity(path.len()), Vec::with_capacity(path.len() + 1));
    once(path.as_bytes(), Escapes { slash: true, iis: false }, &mut decoded);
    write(&decoded, Way { cut: true, collapse: true, resolve: true }, &mut resolved);
    if resolved.len() > 1 && resolved.ends_with(b"/") {
        resolved.pop();
    }
    String::from_utf8(resolved).ok()
}

fn has_marks(path: &str) -> bool {
    foreign::has_marks(&path.to_ascii_lowercase())
}

fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| fold(c, &mut out));
    out
}

fn is_folded_to(text: &str, literal: &str) -> bool {
    if text.is_ascii() { text.eq_ignore_ascii_case(literal) } else { folded(text) == *literal }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::oracle::Readings, *};

    const PIECES: [&str; 35] = [
        "/v1/",
        "/login",
        "/t/",
        "mine",
        "other",
        "Other",
        "/",
        "//",
        "/..",
        "/.",
        ";",
        ";x",
        " ",
        "%09",
        "%e2%80%8b",
        "%E2%84%AA",
        "#",
        "%2f",
        "%2F",
        "%5c",
        "%3b",
        "%2e",
        "%2e%2e/",
        "%25",
        "%6d",
        "%00",
        "%3f",
        "%20",
        "%ff",
        "%EF%BD%8D",
        "%E5%85%AC",
        "ſ",
        "é",
        "{x}",
        "%u006d",
    ];

    proptest! {
        /// Each reading that the pattern matches has the values that are returned.
        #[test]
        fn all_readings_have_the_values_that_are_returned(
            pattern in prop::sample::select(vec!["/v1/{tenant}/login", "/{tenant}", "/login/{tenant}", "/t/{a}/{*rest}", "/{a}/{b}"]),
            start in prop::sample::select(vec!["/v1/", "/t/", "/login/", "/"]),
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..8),
        ) {
            let path = format!("{start}{}", pieces.concat());
            let parameters = Parameters::of(&Pattern::parse(pattern).unwrap(), false).unwrap();
            let readings = Readings::of(&path);
            if readings.too_many {
                return Ok(());
            }
            let texts = readings.texts.iter().map(|text| str::from_utf8(text).unwrap());
            let found: Vec<_> = texts.filter_map(|text| parameters.values_in(text)).collect();
            match parameters.values(&path) {
                Err(Unclear) => {}
                Ok(None) => prop_assert!(found.is_empty(), "{path} is {found:?}"),
                Ok(Some(values)) => {
                    let values: ParameterValues =
                        values.into_iter().map(|(name, value)| (name, folded(&value).into())).collect();
                    prop_assert!(!readings.several && found.iter().all(|found| *found == values), "{path}: {values:?} {found:?}");
                }
            }
        }
    }

    fn values(pattern: &str, path: &str, foreign: bool) -> Result<Option<String>, Unclear> {
        let parameters = Parameters::of(&Pattern::parse(pattern).unwrap(), foreign).unwrap();
        let join = |values: ParameterValues| {
            let pairs: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(",")
        };
        parameters.values(path).map(|values| values.map(join))
    }

    #[test]
    fn a_pattern_without_a_parameter_of_one_segment_has_no_values() {
        for pattern in ["/login", "/{*rest}", "/auth/{*rest}", "/{{tenant}}"] {
            assert!(Parameters::of(&Pattern::parse(pattern).unwrap(), false).is_none(), "{pattern}");
        }
    }

    #[test]
    fn one_meaning_has_one_value_decoded_once_in_the_case_that_came() {
        for (pattern, path, expected) in [
            ("/v1/{tenant}/login", "/v1/acme/login", "tenant=acme"),
            ("/v1/{tenant}/login", "/v1/acme/login/", "tenant=acme"),
            ("/v1/{tenant}/login", "/V1/AcMe/LOGIN", "tenant=AcMe"),
            ("/v1/{tenant}/login", "/v1/%61cme/login", "tenant=acme"),
            ("/v1/{tenant}/login", "/v1/%41cme/login", "tenant=Acme"),
            ("/v1/{tenant}/login", "/%76%31/acme/%6cogin", "tenant=acme"),
            ("/v1/{tenant}/login", "/v1/%E5%85%AC%E5%8F%B8/login", "tenant=公司"),
            ("/v1/{tenant}/login", "/v1/%C3%84cme/login", "tenant=Äcme"),
            ("/v1/{tenant}/login", "/v1/a.b_c-d~e/login", "tenant=a.b_c-d~e"),
            ("/v1/{tenant}/login", "/v1/John%20Smith/login", "tenant=John Smith"),
            ("/v1/{tenant}/login", "/v1/a@b.example/login", "tenant=a@b.example"),
            ("/v1/{tenant}/login", "/v1/%7Bx%7D/login", "tenant={x}"),
            ("/v1/{tenant}/login", "/v1/*/login", "tenant=*"),
            ("/v1/{tenant}/login", "/v1/login/login", "tenant=login"),
            ("/v1/{tenant}/login", "/v1/v1/login", "tenant=v1"),
            ("/v1/{tenant}/login", "/./v1/acme/login", "tenant=acme"),
            ("/v1/{tenant}/login", "//v1//acme/login", "tenant=acme"),
            ("/v1/{tenant}/login", "/x/../v1/acme/login", "tenant=acme"),
            ("/login/{tenant}", "/login/acme", "tenant=acme"),
            ("/login/{tenant}", "/login/Acme/", "tenant=Acme"),
            ("/{a}/{b}/login", "/x/y/login", "a=x,b=y"),
            ("/t/{tenant}/{*rest}", "/t/acme/a/b/c", "tenant=acme"),
            ("/{tenant}", "/acme", "tenant=acme"),
            // Where slashes are not collapsed, the pattern does not match.
            ("/t/{tenant}/{*rest}", "/t//other/login", "tenant=other"),
            ("/ÄRGER/{tenant}", "/%C3%A4rger/x", "tenant=x"),
        ] {
            let found = values(pattern, path, false);
            assert_eq!(found.unwrap().as_deref(), Some(expected), "{pattern} {path}");
        }
    }

    #[test]
    fn a_long_name_in_another_script_is_not_too_much_work() {
        let path = format!("/v1/{}/login", "%E5%85%AC".repeat(30));
        let expected = format!("tenant={}", "公".repeat(30));
        assert_eq!(values("/v1/{tenant}/login", &path, false).unwrap(), Some(expected.clone()));
        assert_eq!(values("/v1/{tenant}/login", &path, true).unwrap(), Some(expected));
    }

    #[test]
    fn a_path_whose_readings_differ_in_a_parameter_has_no_parameters() {
        for (pattern, path) in [
            ("/v1/{tenant}/login", "/v1/mine;x/login"),
            ("/v1/{tenant}/login", "/v1/mine;/login"),
            ("/v1/{tenant}/login", "/v1/mine%3Bx/login"),
            ("/v1/{tenant}/login", "/v1/a%2Fb/login"),
            ("/v1/{tenant}/login", "/v1/a%5Cb/login"),
            ("/v1/{tenant}/login", "/v1/%2561cme/login"),
            ("/v1/{tenant}/login", "/v1/%u0061cme/login"),
            ("/v1/{tenant}/login", "/v1/mine%00/login"),
            ("/v1/{tenant}/login", "/v1/mi%0Ane/login"),
            ("/v1/{tenant}/login", "/v1/mine%3F/login"),
            ("/v1/{tenant}/login", "/v1/%EF%BD%81cme/login"),
            ("/v1/{tenant}/login", "/v1/mine%FF/login"),
            ("/v1/{tenant}/login", "/v1/%C0%AEmine/login"),
            ("/v1/{tenant}/login", "/v1/./login"),
            ("/v1/{tenant}/login", "/v1/../login"),
            ("/t/{tenant}/{*rest}", "/t/mine/../other/login"),
            ("/t/{tenant}/{*rest}", "/t/mine/..%2Fother/login"),
            ("/login/{tenant}", "/login/mine;x"),
            ("/login/{tenant}", "/login/mine%3Fx"),
            ("/login/{tenant}", "/login/mine%20x"),
            ("/login/{tenant}", "/login/%20;"),
            ("/login/{tenant}", "/login/%09;x"),
        ] {
            assert!(values(pattern, path, false).is_err(), "{pattern} {path}");
        }
    }

    #[test]
    fn a_path_that_the_pattern_does_not_match_has_none_and_is_not_unclear() {
        for path in ["/v1/login", "/v1/acme/other", "/v1/acme/login/x", "/v1/%61cme/log%69n/x", "/", ""] {
            assert!(matches!(values("/v1/{tenant}/login", path, false), Ok(None)), "{path}");
        }
    }

    #[test]
    fn before_a_foreign_backend_what_it_may_cut_off_is_unclear() {
        for path in
            ["/login/mine.json", "/login/mine!x", "/login/mine.", "/login/mine,1", "/login/mine:x", "/login/a%20"]
        {
            assert!(values("/login/{tenant}", path, true).is_err(), "{path}");
        }
        for path in ["/v1/mine./login", "/v1/mine::$data/login", "/v1/mi/(S(x))ne/login"] {
            assert!(values("/v1/{tenant}/login", path, true).is_err(), "{path}");
        }
        for (pattern, path, expected) in [
            ("/v1/{tenant}/login", "/v1/acme.example/login", "tenant=acme.example"),
            ("/v1/{tenant}/login", "/v1/acme-1_b/login", "tenant=acme-1_b"),
            ("/v1/{tenant}/login", "/v1/Acme/login", "tenant=Acme"),
            ("/login/{tenant}", "/login/acme", "tenant=acme"),
        ] {
            assert_eq!(values(pattern, path, true).unwrap().as_deref(), Some(expected), "{path}");
        }
    }
}
