use std::time::{Duration, Instant};

use super::{
    Found, Pattern, Table,
    meter::Meter,
    oracle::Readings,
    plain::{Shape, shape},
};

/// A table whose entries are the patterns themselves, as configured.
pub(super) fn table(patterns: &[&str]) -> Table<String> {
    Table::build(patterns.iter().map(|text| (Pattern::parse(text).unwrap(), (*text).to_owned()))).unwrap()
}

/// The pattern found, `-` for nothing, `400` for ambiguous.
pub(super) fn meaning<'t>(table: &'t Table<String>, path: &str) -> &'t str {
    shown(&table.find(path))
}

/// The same, whatever work it takes.
pub(super) fn meaning_at_any_price<'t>(table: &'t Table<String>, path: &str) -> &'t str {
    shown(&table.find_within(path, &mut Meter::new(100_000_000)))
}

fn shown<'t>(found: &Found<'t, String>) -> &'t str {
    match found {
        Found::Nothing => "-",
        Found::One(pattern) => pattern,
        Found::Ambiguous(_) => "400",
    }
}

fn assert_all(table: &Table<String>, paths: &[&str], expected: &str) {
    for path in paths {
        assert_eq!(meaning(table, path), expected, "{path:?}");
    }
}

/// A path is guarded as this pattern. It is refused instead if that takes more work than one request may cost.
fn assert_guarded(table: &Table<String>, path: &str, expected: &str) {
    assert!([expected, "400"].contains(&meaning(table, path)), "{path:?}");
    assert_eq!(meaning_at_any_price(table, path), expected, "{path:?}");
}

// === spellings (CASES 1-6) ===

#[test]
fn every_letter_of_a_guarded_path_may_be_in_an_overlong_form() {
    let table = table(&["/login"]);
    for (at, letter) in "/login".char_indices() {
        let byte = u32::from(letter);
        let (high, low) = (byte >> 6, byte & 0x3f);
        for overlong in [
            format!("%{:x}%{:x}", 0xc0 | high, 0x80 | low),
            format!("%e0%{:x}%{:x}", 0x80 | high, 0x80 | low),
            format!("%f0%80%{:x}%{:x}", 0x80 | high, 0x80 | low),
        ] {
            let path = format!("/x/..{}{overlong}{}", &"/login"[..at], &"/login"[at + 1..]);
            assert_eq!(meaning(&table, &path), "400", "{path}");
        }
    }
}

#[test]
fn what_is_cut_or_collapsed_before_a_slash_is_decoded_is_resolved_after_it_too() {
    for (rule, path) in [
        ("/x/login", "/x%2fy/..;a%2fz/login"),
        ("/x/login", "/x%2Fy/..;a%2Fz/login"),
        ("/x/login", "/x%252fy/..;a%252fz/login"),
        ("/x/login", "/x%u002fy/..;a%u002fz/login"),
        ("/login", "/a/%2e%2e/..;x/login%3b/zz"),
        ("/login", "/a/%2e%2e/..;x/login%3B/zz"),
        ("/v1/login", "/a//../x%2fy/../v1%2flogin"),
        // What else becomes a slash.
        ("/x/login", "/x%5cy/..;a%5cz/login"),
        ("/x/login", "/x%5Cy/..;a%5Cz/login"),
        ("/x/login", "/x\\y/..;a\\z/login"),
        ("/x/login", "/x%ef%bc%8fy/..;a%ef%bc%8fz/login"),
        ("/x/login", "/x\u{ff0f}y/..;a\u{ff0f}z/login"),
        ("/x/login", "/x%c0%afy/..;a%c0%afz/login"),
        ("/x/{a}/login", "/../x%5c..%5clogin"),
    ] {
        assert_ne!(meaning_at_any_price(&table(&[rule]), path), "-", "{path}");
        assert_eq!(meaning_at_any_price(&table(&["/w/login"]), path), "-", "{path}");
    }
}

#[test]
fn other_spellings_of_a_guarded_path_are_guarded() {
    let spellings = [
        "/login",
        "//login",
        "/./login",
        "/x/../login",
        "/../login",
        "/../../login",
        "/login/.",
        "/login/x/..",
        "/x/%2e%2e/login",
        "/x/.%2E/login",
        "/%2e/login",
        "/%6Cogin",
        "/%6cogin",
        "/%4Cogin",
        "/login/",
        "/LOGIN",
        "/Login/",
        "/login//",
        "///login",
        "/login;jsessionid=1",
        "/;x/login",
        "/x/..;/login",
        "/x;y/../login;z/",
        "/login%3Bx",
        "/x//../login",
        "/%6c%6f%67%69%6e",
        "/login;/x",
        "/x/./../login",
    ];
    assert_all(&table(&["/login"]), &spellings, "/login");
}

#[test]
fn what_merely_resembles_a_guarded_path_is_not_guarded() {
    let others = [
        "/",
        "/logi",
        "/logins",
        "/login/x",
        "/x/login",
        "/log%69",
        "/login/../x",
        "/.login",
        "/login.",
        "/login..",
        "/%zzlogin",
        "/login%",
        "/login%2",
        "/Log-In",
        "/health%3Fx=/login",
        "/a%20b",
        "/登录",
        "/100%25",
    ];
    assert_all(&table(&["/login"]), &others, "-");
}

#[test]
fn a_path_that_can_be_read_in_several_ways_is_refused_if_one_is_guarded() {
    let spellings = [
        "/login%2F",
        "/login%2f",
        "/login%5C",
        "/login\\",
        "/login%00",
        "/login%00.png",
        "/login%2500",
        "/%256Cogin",
        "/%25256Cogin",
        "/%2525252525252525256Cogin",
        "/x%2f..%2flogin",
        "/x%5c..%5Clogin",
        "%2flogin",
        "/%2flogin",
        "/x/%252e%252e/login",
        "/log%00in",
        "/login%0a",
        "/login%0d%0aHost:%20x",
        "/login%09",
        "/log%7fin",
        "/login%3F",
        "/login%3fx=1",
        "/login%23x",
        "/login%c0%af",
        "/x/%c0%ae%c0%ae/login",
        "/%c1%acogin",
        "/login%e0%80%af",
        "/login%f0%80%80%af",
        "/log%ffin",
        "/login%80",
        "/%u006cogin",
        "/x/%u002e%u002E/login",
        "/login%u002f",
        "/%25u006cogin",
        "login",
        "LOGIN",
        "//x%2f../login",
        "/login%252F",
        "/%%36cogin",
    ];
    assert_all(&table(&["/login"]), &spellings, "400");
    assert_all(&table(&["/signin"]), &["/%C5%BFignin", "/ſignin", "/SIGNIN%00"], "400");
    assert_all(&table(&["/link"]), &["/lin%E2%84%AA", "/lin\u{212a}/"], "400");
}

#[test]
fn a_path_that_can_be_read_in_several_ways_passes_if_none_is_guarded() {
    let paths = [
        "/proxy/https%3A%2F%2Fhost%2Fa%3Fb%3D%2523",
        "/x%2Fy",
        "/x%5Cy",
        "/%00",
        "/%ff%fe",
        "/%256C",
        "/%u0041",
        "/Kſ",
        "health",
        "*",
        "",
        "/a%0ab",
        "example.com:443",
    ];
    assert_all(&table(&["/login", "/v1/{tenant}/login"]), &paths, "-");
    assert_all(&table(&[]), &paths, "-");
}

#[test]
fn a_path_without_a_slash_never_means_just_one_thing() {
    let table = table(&["/", "/{one}"]);
    assert_all(&table, &["", "*", "login", "example.com"], "400");
}

#[test]
fn a_full_width_spelling_is_guarded() {
    let table = table(&["/login"]);
    assert_all(&table, &["/ｌｏｇｉｎ", "/LｏGin"], "/login");
    for path in ["/x／．．/login", "/x/%EF%BC%8E%EF%BC%8E/login"] {
        assert_guarded(&table, path, "/login");
    }
}

#[test]
fn case_is_ignored_beyond_ascii_too() {
    let table = table(&["/登录", "/Émile/Login"]);
    assert_all(&table, &["/登录", "/%E7%99%BB%e5%bd%95", "/登录/", "//登录"], "/登录");
    assert_all(&table, &["/émile/login", "/ÉMILE/LOGIN", "/%C3%A9mile/login"], "/Émile/Login");
}

#[test]
fn bytes_in_an_unknown_encoding_are_refused_where_a_rule_is_beyond_ascii() {
    assert_all(&table(&["/登录"]), &["/%B5%C7%C2%BC"], "400");
    assert_all(&table(&["/login"]), &["/%B5%C7%C2%BC"], "-");
}

// === several entries ===

#[test]
fn two_readings_that_are_two_entries_are_refused() {
    let table = table(&["/login", "/x/{p}/login", "/{a}/b"]);
    assert_eq!(meaning(&table, "/x/../login"), "400");
    assert_eq!(meaning(&table, "/x/%2e%2e/login"), "400");
    assert_eq!(meaning(&table, "/x/y/login"), "/x/{p}/login");
    assert_eq!(meaning(&table, "/y/%2e%2e/login"), "/login");
}

#[test]
fn dots_resolved_before_decoding_are_a_reading_too() {
    let table = table(&["/x/login"]);
    assert_all(&table, &["/x/y/%2e%2e/login"], "/x/login");
    for path in ["/x/%2e%2e/../login", "/x;a/%2e%2e/../login"] {
        assert_guarded(&table, path, "/x/login");
    }
}

#[test]
fn a_parameter_may_hold_what_a_canonical_path_would_lose() {
    let table = table(&["/files/{*rest}", "/v1/{tenant}/login"]);
    assert_all(&table, &["/files/x/..", "/files//", "/files/;a", "/files/a%20b", "/files/。？"], "/files/{*rest}");
    assert_all(&table, &["/v1/./login", "/v1/straße/login", "/v1/a%20b/login"], "/v1/{tenant}/login");
    for path in ["/v1/;a/login", "/v1/%3B/login"] {
        assert_guarded(&table, path, "/v1/{tenant}/login");
    }
    assert_all(&table, &["/files/a%2Fb", "/files/%00", "/v1/a%2Fb/login", "/v1/%252e/login"], "400");
    assert_all(&table, &["/files", "/files/", "/v1//login", "/v1/login"], "-");
}

#[test]
fn an_exact_path_beats_a_pattern_and_a_narrow_pattern_a_wide_one() {
    let table = table(&["/a/{x}", "/a/b", "/{*all}", "/a/{x}/c"]);
    assert_eq!(meaning(&table, "/a/b"), "/a/b");
    assert_eq!(meaning(&table, "/a/B/"), "/a/b");
    assert_eq!(meaning(&table, "/a/z"), "/a/{x}");
    assert_eq!(meaning(&table, "/a/b/c"), "/a/{x}/c");
    assert_eq!(meaning(&table, "/a/b/d"), "/{*all}");
    assert_eq!(meaning(&table, "/"), "-");
}

#[test]
fn results_for_two_paths_compare_by_address() {
    let table = table(&["/login", "/api/login"]);
    let (Found::One(a), Found::One(b), Found::One(c)) =
        (table.find("/login"), table.find("/LOGIN/"), table.find("/api/login"))
    else {
        panic!("all three are there");
    };
    assert!(std::ptr::eq(a, b) && !std::ptr::eq(a, c));
}

// === patterns ===

#[test]
fn a_path_that_cannot_be_meant_is_refused_when_it_is_written() {
    let refused = [
        "",
        "login",
        "//login",
        "/a//b",
        "/a//",
        "/./a",
        "/a/..",
        "/..",
        "/a;b",
        "/a?b",
        "/a#b",
        "/a%20b",
        "/a\\b",
        "/a\0",
        "/a b",
        "/a\tb",
        "/a\u{a0}b",
        "/ſ",
        "/\u{212a}",
        "*",
        "/{",
        "/{}",
        "/}",
        "/{*}",
        "/{*rest}/x",
        "/{a}{b}",
        "/{a/b}",
        "/{id}.png",
        "/x{id}",
        "/{{{id}}}",
    ];
    for text in refused {
        let error = Pattern::parse(text).expect_err(text);
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(text)));
    }
    let error = Pattern::parse("login").unwrap_err();
    assert_eq!(error.to_string(), "`rule.path` is \"login\": a path starts with a slash");
    assert!(Pattern::parse(&"/{a}".repeat(30)).is_err());
}

#[test]
fn patterns_that_differ_in_case_or_a_trailing_slash_are_equal() {
    let parse = |text| Pattern::parse(text).unwrap();
    assert_eq!(parse("/Login/"), parse("/login"));
    assert_eq!(parse("/V1/{Tenant}/"), parse("/v1/{Tenant}"));
    assert_ne!(parse("/{{x}}"), parse("/{x}"));
    assert_eq!(parse("/Login/").to_string(), "/Login/");
    assert!(parse("/").is_exact() && parse("/{{x}}").is_exact() && !parse("/{x}").is_exact());
}

#[test]
fn doubled_braces_are_literal() {
    let table = table(&["/{{X}}", "/b/{{y}}/{Id}"]);
    assert_eq!(meaning(&table, "/{x}"), "/{{X}}");
    assert_eq!(meaning(&table, "/%7BX%7D"), "/{{X}}");
    assert_eq!(meaning(&table, "/x"), "-");
    assert_eq!(meaning(&table, "/b/{Y}/1"), "/b/{{y}}/{Id}");
}

#[test]
fn equal_and_conflicting_patterns_are_errors_of_the_build() {
    for pair in
        [["/login", "/Login/"], ["/a/{x}", "/a/{y}"], ["/{*a}", "/{*b}"], ["/a/{x}", "/A/{x}/"], ["/é/{a}", "/É/{b}"]]
    {
        let entries = pair.map(|text| (Pattern::parse(text).unwrap(), ()));
        let error = Table::build(entries).err().unwrap();
        assert_eq!((error.setting(), error.value()), ("rule.path", Some(pair[1])));
    }
}

// === bounds ===

#[test]
fn plain_paths_are_recognised_at_every_length() {
    for length in 1..300 {
        let path = format!("/{}", "a".repeat(length - 1));
        assert_eq!(shape(&path), Shape::Plain(&path));
        for at in 1..length {
            for odd in ["%", ";", "\\", "?", "#", "\0", " ", "\u{7f}", "é"] {
                let mut other = path.clone();
                other.insert_str(at, odd);
                assert_eq!(shape(&other), Shape::Other, "{other:?}");
            }
            for unresolved in ["//", "/./", "/../"] {
                let mut other = path.clone();
                other.insert_str(at, unresolved);
                assert!(matches!(shape(&other), Shape::Unresolved | Shape::Other), "{other:?}");
                other.push_str("/x");
                assert_eq!(shape(&other), Shape::Unresolved, "{other:?}");
                other.push('%');
                assert_eq!(shape(&other), Shape::Other, "{other:?}");
            }
            let mut other = path.clone();
            other.insert(at, 'Z');
            let expected = if length < 256 { Shape::Foldable(&other) } else { Shape::Other };
            assert_eq!(shape(&other), expected, "{other:?}");
        }
    }
    for path in ["/.well-known/x", "/a/..b", "/a/...", "/it's!", "/@me", "/a=b&c", "/a/{b}"] {
        assert_eq!(shape(path), Shape::Plain(path));
    }
}

#[test]
fn a_path_made_to_confuse_is_refused_and_soon() {
    let table = table(&["/login", "/v1/{tenant}/login", "/files/{*rest}"]);
    let pieces = [
        "/../",
        "%25",
        "%2525",
        "%252525252e",
        "/",
        "//",
        "/%2e%2e/",
        ";",
        ";/",
        "%2f",
        "%5c",
        "\\",
        "%00",
        "/./",
        "%c0%af",
        "%u002f",
        "/a/%2e%2e/",
        "A",
        "é",
        "%ff",
        "?",
        "/..;/%2f%5c%00%3f%252f ",
        "%",
        "%u",
        "/a",
        ".",
        "ｌ",
        "{",
        "/v1/",
    ];
    let start = Instant::now();
    for piece in pieces {
        let path = format!("/{}", piece.repeat(65_534 / piece.len()));
        let _ = table.find(&path);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let confusing = "/a%2fb%5cc%00d%01e%3ff;g//h/../i%252fj%c0k l/login";
    assert!(Readings::of(confusing).too_many);
    assert_eq!(meaning(&table, confusing), "400");
}

#[test]
fn what_ends_a_path_ends_it_also_after_parameters_were_cut() {
    let table = table(&["/login", "/v1/{tenant}/login"]);
    for end in ["%3f", "%3F", "%23", "%20", "%00", "%0a", "%253f", "%3fx", "?"] {
        for path in
            ["/;END/loginEND", "/;aEND/loginENDz", "/v1;END/acme/loginEND", "/;END%2floginEND", "/v1/acme;END/loginEND"]
        {
            let path = path.replace("END", end);
            assert_ne!(meaning_at_any_price(&table, &path), "-", "{path}");
            assert_ne!(meaning(&table, &path), "-", "{path}");
        }
    }
}

#[test]
fn what_ends_a_path_ends_it_also_after_dots_were_resolved() {
    let table = table(&["/login"]);
    for end in ["%3f", "%3F", "%23", "%20", "%00", "%0a", "%253f"] {
        for dots in ["..", "%2e%2e", "..;x"] {
            for path in [format!("/{end}/{dots}/login{end}"), format!("/x{end}y/{dots}/login{end}z")] {
                assert!(!matches!(table.find(&path), Found::Nothing), "{path}");
            }
        }
    }
}

#[test]
fn behind_a_session_any_rule_may_be_named_also_where_the_rest_of_the_path_names_one() {
    let table = table(&["/login/{id}", "/{tenant}/x"]).foreign_backend(true);
    for path in ["/(S(b))login/x", "/(S(b))login/%78", "/./(S(b))login/x", "/(S(b))login/x/"] {
        assert_eq!(meaning(&table, path), "400", "{path}");
    }
    assert_eq!(meaning(&table, "/acme/%78"), "/{tenant}/x");
}
