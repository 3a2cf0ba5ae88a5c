//! The numbers of the pages, against the constants of the source.

use std::fs;

use super::{root, source, table};

/// The value of a constant, which is a product of numbers, or a number of seconds.
fn constant(file: &str, name: &str) -> u64 {
    let text = source(file);
    let (_, declared) = text.split_once(&format!("const {name}:")).unwrap_or_else(|| panic!("{file}: {name}"));
    let value = declared.split_once(" = ").unwrap().1.split(';').next().unwrap();
    let product = value.trim_start_matches("Duration::from_secs(").trim_end_matches(')');
    product
        .split(" * ")
        .map(|factor| factor.replace('_', "").parse::<u64>().unwrap_or_else(|_| panic!("{file}: {name}")))
        .product()
}

#[test]
fn the_numbers_of_the_pages_are_those_of_the_source() {
    let number = |value: u64| match value {
        4 => "four".to_owned(),
        8 => "eight".to_owned(),
        1_000_000.. => format!("{},{:03},{:03}", value / 1_000_000, value / 1_000 % 1_000, value % 1_000),
        1_000.. => format!("{},{:03}", value / 1_000, value % 1_000),
        _ => value.to_string(),
    };
    for (page, sentence, file, name) in [
        (
            "operating.md",
            "over half of at least {} answers in ten minutes are of the class",
            "observe/share.rs",
            "LEAST",
        ),
        ("operating.md", "over half of at least {} answers to an account", "observe/share.rs", "LEAST"),
        ("operating.md", "at least 100 answers for at least {} clients", "observe/ratio.rs", "CLIENTS"),
        ("operating.md", "at least {} answers for at least 20 clients", "observe/ratio.rs", "LEAST"),
        ("operating.md", "the last {} answers count", "observe/ratio.rs", "KEPT"),
        ("operating.md", "the guards hold {} claims, clients and sums", "store/memory.rs", "CAPACITY"),
        ("operating.zh-CN.md", "十分钟内至少 {} 个应答", "observe/share.rs", "LEAST"),
        ("operating.zh-CN.md", "十分钟内一个账号至少 {} 个应答", "observe/share.rs", "LEAST"),
        ("operating.zh-CN.md", "来自至少 {} 个客户端", "observe/ratio.rs", "CLIENTS"),
        ("operating.zh-CN.md", "至少 {} 个应答,来自", "observe/ratio.rs", "LEAST"),
        ("operating.zh-CN.md", "最近 {} 个应答", "observe/ratio.rs", "KEPT"),
        ("operating.zh-CN.md", "已保存 {} 个占用、客户端与计数", "store/memory.rs", "CAPACITY"),
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

#[test]
fn the_limits_of_clients_in_the_pages_are_the_defaults() {
    let defaults = source("judge/account_limits.rs");
    for default in
        ["per_client: Some(Rate::new(600, MINUTE).burst(300))", "per_client_and_phone: Some(Rate::new(3, TEN_MINUTES))"]
    {
        assert!(defaults.contains(default), "{default}");
    }
    for (page, head, client, phone) in [
        ("docs/operating.md", "| limit | default |", "600 a minute, 300 at once", "3 in ten minutes"),
        ("docs/operating.zh-CN.md", "| 限额 | 默认 |", "每分钟 600 个,一次最多 300 个", "十分钟 3 个"),
    ] {
        let rows = table(page, head);
        let default =
            |setting: &str| &rows.iter().find(|row| row[2] == format!("`GuardsBuilder::{setting}`")).unwrap()[1];
        assert_eq!((&**default("per_client"), &**default("per_client_and_phone")), (client, phone), "{page}");
    }
}
