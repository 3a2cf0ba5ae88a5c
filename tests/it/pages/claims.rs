//! The claims of passes and assertions, against the source.

use super::{code, source, table};

/// The fields of the claims in a file: the name, the type, and whether an absent value is left out.
fn claims(file: &str) -> Vec<(String, String, bool)> {
    let text = source(file);
    let fields = text.split_once("struct Claims").unwrap().1.split_once('{').unwrap().1.split("\n}").next().unwrap();
    let mut is_left_out = false;
    let mut claims = Vec::new();
    for line in fields.lines().map(str::trim) {
        is_left_out |= line.contains("skip_serializing_if");
        let Some((name, kind)) = line.trim_start_matches("pub(super) ").split_once(": ") else { continue };
        if !line.starts_with(['/', '#']) {
            claims.push((name.to_owned(), kind.trim_end_matches(',').to_owned(), std::mem::take(&mut is_left_out)));
        }
    }
    claims
}

#[test]
fn both_pages_on_passes_list_their_claims_and_which_of_them_may_be_absent() {
    let claims = claims("pass/ring.rs");
    assert!(claims.len() >= 16, "{claims:?}");
    for (page, head, absent) in
        [("docs/step-up.md", "| claim |", "absent"), ("docs/step-up.zh-CN.md", "| 声明", "不出现")]
    {
        let rows = table(page, head);
        let listed: Vec<&str> = rows.iter().flat_map(|row| code(&row[0])).collect();
        let names: Vec<&str> = claims.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(sorted(&listed), sorted(&names), "{page}");
        for row in &rows {
            for name in code(&row[0]) {
                let (.., is_left_out) = claims.iter().find(|(claim, ..)| claim == name).unwrap();
                assert_eq!(row[1].contains(absent), *is_left_out, "{page}: {name}");
            }
        }
    }
}

#[test]
fn the_page_on_assertions_lists_their_claims_with_their_types() {
    let claims = claims("pass/claims.rs");
    let rows = table("docs/assertion.md", "| claim |");
    let mut listed = Vec::new();
    for row in &rows {
        for name in code(&row[0]) {
            listed.push(name);
            let claim = claims.iter().find(|(claim, ..)| claim == name);
            let (_, kind, is_left_out) = claim.unwrap_or_else(|| panic!("an assertion has no claim {name}"));
            let expected = match (kind.as_str(), is_left_out) {
                ("T", false) => "text",
                ("u64", false) => "number",
                ("bool", false) => "boolean",
                ("Option<T>", false) => "text or null",
                ("Option<T>", true) => "text, absent",
                ("Option<u16>", false) => "number or null",
                ("Vec<T>", false) => "list of texts",
                ("Vec<Option<T>>", false) => "list of texts or nulls",
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(row[1], expected, "{name}");
        }
    }
    let names: Vec<&str> = claims.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(sorted(&listed), sorted(&names));
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}
