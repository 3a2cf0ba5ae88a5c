//! Properties that hold for every path: tested with random ones.

use proptest::prelude::*;

use super::{
    Found, Pattern, Table,
    oracle::Readings,
    plain::{Shape, shape},
    tests::{meaning, meaning_at_any_price, table},
};

const NASTY: [&str; 38] = [
    "/",
    "//",
    ".",
    "..",
    "/../",
    "/./",
    ";",
    ";a=1",
    "%",
    "%2",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%00",
    "\0",
    "%25",
    "%252e",
    "%2e",
    "%c0%af",
    "%e0%80%af",
    "%ff",
    "%u0066",
    "%ud800",
    "?",
    "#",
    "%3f",
    "é",
    "ſ",
    "\u{212a}",
    "ｌ",
    "login",
    "LOGIN",
    "l",
    "v1",
    "{",
    "}",
    " ",
];

fn nasty_path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(NASTY.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

/// One way to write a path differently without changing what it means.
#[derive(Clone, Debug)]
enum Respelling {
    Dot,
    Parent,
    EncodedParent,
    Slash,
    Parameter,
    TrailingSlash,
    Escape(bool),
    DoubleEscape,
    Case,
}

fn respelled(mut path: String, changes: &[(Respelling, prop::sample::Index)]) -> String {
    for (change, at) in changes {
        let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        let slash = *at.get(&slashes);
        let letters: Vec<usize> = path
            .char_indices()
            .filter(|&(at, c)| c.is_ascii_alphabetic() && !path[at.saturating_sub(2)..at].contains(['%', ';']))
            .map(|(at, _)| at)
            .collect();
        if letters.is_empty() {
            continue;
        }
        let letter = *at.get(&letters);
        let byte = path.as_bytes()[letter];
        match change {
            Respelling::Dot => path.insert_str(slash, "/."),
            Respelling::Parent => path.insert_str(slash, "/xy/.."),
            Respelling::EncodedParent => path.insert_str(slash, "/xy/%2e."),
            Respelling::Slash => path.insert(slash, '/'),
            Respelling::Parameter => path.push_str(";p=1"),
            Respelling::TrailingSlash => path.push('/'),
            Respelling::Escape(true) => path.replace_range(letter..=letter, &format!("%{byte:02X}")),
            Respelling::Escape(false) => path.replace_range(letter..=letter, &format!("%{byte:02x}")),
            Respelling::DoubleEscape => path.replace_range(letter..=letter, &format!("%25{byte:02x}")),
            Respelling::Case => path.replace_range(letter..=letter, &char::from(byte ^ 0x20).to_string()),
        }
    }
    path
}

fn respelling() -> impl Strategy<Value = Respelling> {
    prop_oneof![
        Just(Respelling::Dot),
        Just(Respelling::Parent),
        Just(Respelling::EncodedParent),
        Just(Respelling::Slash),
        Just(Respelling::Parameter),
        Just(Respelling::TrailingSlash),
        any::<bool>().prop_map(Respelling::Escape),
        Just(Respelling::DoubleEscape),
        Just(Respelling::Case),
    ]
}

/// What a path means if all its readings are looked up; `None` if there are too many.
fn meaning_by_all_readings<'t>(table: &'t Table<String>, path: &str) -> Option<&'t str> {
    let readings = Readings::of(path);
    let texts = readings.texts.iter().map(|text| str::from_utf8(text).unwrap());
    let mut meanings: Vec<&str> = texts.filter_map(|text| Some(table.one_reading(text)?.as_str())).collect();
    meanings.sort_unstable();
    meanings.dedup();
    match meanings.as_slice() {
        _ if readings.too_many => None,
        [] => Some("-"),
        [one] if !readings.several => Some(one),
        _ => Some("400"),
    }
}

/// Whether `pattern` matches, by the plainest means: for few parameters and short paths.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'{', b'*', ..] => !path.is_empty(),
        [b'{', rest @ ..] => {
            let rest = &rest[rest.iter().position(|&byte| byte == b'}').unwrap() + 1..];
            let segment = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
            (1..=segment).any(|taken| matches(rest, &path[taken..]))
        }
        [byte, rest @ ..] => path.first() == Some(byte) && matches(rest, &path[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_path_panics(path in nasty_path(), any in any::<String>()) {
        let table = table(&["/login", "/v1/{tenant}/login", "/files/{*rest}", "/登录", "/é/{x}/é"]);
        let _ = (table.find(&path), table.find(&any), table.find(&format!("/{path}")));
        let _ = (Pattern::parse(&path), Pattern::parse(&any));
    }

    #[test]
    fn no_equivalent_spelling_of_a_guarded_path_passes(
        path in prop::sample::select(vec!["/login", "/v1/acme/login", "/files/a/b", "/h5/login"]),
        changes in prop::collection::vec((respelling(), any::<prop::sample::Index>()), 0..8),
    ) {
        let table = table(&["/login", "/v1/{tenant}/login", "/files/{*rest}", "/h5/login"]);
        let spelling = respelled(path.to_owned(), &changes);
        prop_assert!(!matches!(table.find(&spelling), Found::Nothing), "{}", spelling);
    }

    #[test]
    fn the_fast_way_and_the_readings_agree(path in "/[a-cA-C./_~-]{0,40}") {
        let table = table(&["/a", "/b/{x}", "/a/b", "/{*rest}"]);
        let readings = Readings::of(&path);
        if matches!(shape(&path), Shape::Plain(_) | Shape::Foldable(_)) {
            prop_assert_eq!(readings.texts.len(), 1);
            prop_assert!(!readings.several);
            let canonical = String::from_utf8(readings.texts[0].clone()).unwrap();
            prop_assert_eq!(meaning(&table, &path), meaning(&table, &canonical));
        }
    }

    #[test]
    fn no_reading_that_is_in_the_table_is_overlooked(
        path in nasty_path(),
        guarded in prop::sample::select(vec!["/login", "/v1/acme/login", "/files/a/b", "/l", "//login/x"]),
        changes in prop::collection::vec((respelling(), any::<prop::sample::Index>()), 0..5),
    ) {
        let spelling = respelled(guarded.to_owned(), &changes);
        let ascii = ["/login", "/v1/{tenant}/login", "/files/{*rest}", "/l"];
        let beyond = ["/login", "/é/{x}", "/登录/{*rest}"];
        for table in [table(&ascii[..1]), table(&ascii), table(&beyond)] {
            for path in [&path, &spelling, &format!("/{path}{spelling}"), &format!("{spelling}{path}")] {
                let found = meaning_at_any_price(&table, path);
                let within = meaning(&table, path);
                prop_assert!(within == found || within == "400", "{} is {}, not {}", path, within, found);
                let Some(expected) = meaning_by_all_readings(&table, path) else { continue };
                // More than all those readings may be looked up, never less.
                prop_assert!(found == expected || found == "400" || expected == "-", "{} is {}, not {}", path, found, expected);
            }
        }
    }

    #[test]
    fn the_router_misses_no_pattern(
        patterns in prop::collection::vec("(/([ab]{1,2}|\\{x\\})){1,4}(/\\{\\*r\\})?", 1..6),
        path in "(/[ab]{1,2}){1,6}",
    ) {
        let mut taken: Vec<(Pattern, String)> = Vec::new();
        for text in patterns {
            let mut more = taken.clone();
            more.push((Pattern::parse(&text).unwrap(), text));
            if Table::build(more.clone()).is_ok() {
                taken = more;
            }
        }
        let expected = taken.iter().any(|(_, text)| matches(text.as_bytes(), path.as_bytes()));
        let table = Table::build(taken.clone()).unwrap();
        prop_assert_eq!(!matches!(table.find(&path), Found::Nothing), expected, "{:?}", taken);
    }
}
