//! The claims of passes and assertions, and the numbers of their pages, against the source.

use std::fs;

use super::{code, root, table};

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

fn source(file: &str) -> String {
    fs::read_to_string(root().join("src").join(file)).unwrap()
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

/// The value of a constant, which is a product of numbers, or a number of seconds.
fn constant(file: &str, name: &str) -> u64 {
    let text = source(file);
    let (_, declared) = text.split_once(&format!("const {name}:")).unwrap_or_else(|| panic!("{file}: {name}"));
    let value = declared.split_once(" = ").unwrap().1.split(';').next().unwrap();
    let product = value.trim_start_matches("Duration::from_secs(").trim_end_matches(')');
    product.split(" * ").map(|factor| factor.parse::<u64>().unwrap_or_else(|_| panic!("{file}: {name}"))).product()
}

#[test]
fn the_numbers_of_the_pages_on_passes_and_assertions_are_those_of_the_source() {
    let number = |value: u64| match value {
        4 => "four".to_owned(),
        8 => "eight".to_owned(),
        1_000.. => format!("{},{:03}", value / 1_000, value % 1_000),
        _ => value.to_string(),
    };
    for (page, sentence, file, name) in [
        ("step-up.md", "of at most {} bytes", "pass/ring.rs", "LONGEST_ISSUED"),
        ("step-up.md", "signed more than {} s ahead of this clock", "pass/ring.rs", "AHEAD"),
        ("step-up.md", "followed an answer of the application: at most {} |", "judge/pass.rs", "RETRIES"),
        ("step-up.md", "a secret of at least {} bytes", "pass/key.rs", "LEAST"),
        ("step-up.md", "up to {} are accepted", "pass/passes.rs", "MOST"),
        ("step-up.md", "`Passes::lifetime`: {} s to", "pass/passes.rs", "SHORTEST"),
        ("step-up.zh-CN.md", "`Passes::lifetime`:{} 秒至", "pass/passes.rs", "SHORTEST"),
        ("step-up.zh-CN.md", "最多 {} 字节", "pass/ring.rs", "LONGEST_ISSUED"),
        ("step-up.zh-CN.md", "签发时间超前本机时钟 {} 秒以上", "pass/ring.rs", "AHEAD"),
        ("step-up.zh-CN.md", "签发的个数:最多 {} |", "judge/pass.rs", "RETRIES"),
        ("step-up.zh-CN.md", "需要至少 {} 字节的密钥", "pass/key.rs", "LEAST"),
        ("assertion.md", "`exp` is `iat` + {}", "pass/claims.rs", "LIFETIME"),
        ("assertion.md", "with the same request for {} s", "pass/claims.rs", "LIFETIME"),
        ("assertion.md", "`iat` is at most {} s in the future", "pass/verifier.rs", "AHEAD"),
        ("assertion.md", "An assertion has at most {} bytes", "pass/jws.rs", "LONGEST"),
        ("assertion.md", "A path of more than {} bytes", "pass/claims.rs", "PATH"),
        ("assertion.md", "a method of more than {} are", "pass/claims.rs", "METHOD"),
        ("assertion.md", "and {} bytes together", "pass/claims.rs", "TAGS"),
        ("assertion.md", "at most {} checks and ids", "pass/claims.rs", "CHECKS"),
        ("assertion.md", "have at most {} bytes, and `build()` refuses", "pass/subject.rs", "NAME"),
        ("assertion.md", "At most {} tags", "verdict/risk.rs", "SHOWN_TAGS"),
        ("assertion.md", "of at most {} bytes each", "verdict/risk.rs", "TAG_BYTES"),
    ] {
        let value = constant(file, name);
        let text = fs::read_to_string(root().join("docs").join(page)).unwrap().replace('\n', " ");
        let says = |number: &str| text.contains(&sentence.replace("{}", number));
        assert!(says(&number(value)) || says(&value.to_string()), "docs/{page} does not say: {sentence}, {value}");
    }
    // One number check has a first pass, and one after each of the retries.
    let most = number(constant("judge/pass.rs", "RETRIES") + 1);
    let page = fs::read_to_string(root().join("docs/step-up.md")).unwrap();
    assert!(page.contains(&format!("one number check leads to at most {most} captchas with a pass")), "{most}");
}
