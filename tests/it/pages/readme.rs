//! The order, headers, settings, features, examples and programs of the READMEs, against the source and each other.

use std::{collections::BTreeSet, fs};

use super::{code, root, table};

/// The names of the `x-jverify-*` headers.
fn headers() -> Vec<String> {
    let names = fs::read_to_string(root().join("src/headers/names.rs")).unwrap();
    names.split("name(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn every_header_of_the_layer_is_among_the_promises() {
    let (page, headers) = (fs::read_to_string(root().join("docs/data.md")).unwrap(), headers());
    assert!(headers.len() >= 9, "{headers:?}");
    for header in &headers {
        assert!(page.contains(&format!("`{header}`")), "{header}");
    }
    // An answer carries a pass, and a request to the application does not.
    let headers: BTreeSet<&str> = headers.iter().map(String::as_str).filter(|name| *name != "x-jverify-pass").collect();
    for (page, head) in [("README.md", "| header |"), ("README.zh-CN.md", "| 请求头 |")] {
        let rows = table(page, head);
        let listed: BTreeSet<&str> = rows.iter().flat_map(|row| code(&row[0])).collect();
        assert_eq!(listed, headers, "{page}");
    }
}

#[test]
fn the_readmes_list_the_features_of_the_manifest() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split_once("[features]\n").unwrap().1.split("\n[").next().unwrap();
    let names = section.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let features: BTreeSet<&str> = names
        .filter_map(|line| line.split_once(" ="))
        .map(|(name, _)| name)
        .filter(|name| *name != "default")
        .collect();
    assert!(features.len() >= 12, "{features:?}");
    for (page, head) in
        [("README.md", "| feature |"), ("README.zh-CN.md", "| feature |"), ("src/lib.rs", "//! | feature |")]
    {
        let rows = table(page, head);
        let listed: BTreeSet<&str> = rows.iter().flat_map(|row| code(&row[0])).collect();
        assert_eq!(listed, features, "{page}");
    }
}

/// The default of a setting as a README writes it, if it is a number.
fn default_of(setting: &str, settings: &str) -> Option<String> {
    let entry = settings.split_once(&format!("\n        {setting}("))?.1.split(";\n").next()?;
    let default = entry.split_once(" = ")?.1;
    if let Some(seconds) = default.strip_prefix("std::time::Duration::from_secs(") {
        return Some(format!("{} s", seconds.split(')').next()?));
    }
    let factors: Option<Vec<u64>> = default.split(',').next()?.split(" * ").map(|factor| factor.parse().ok()).collect();
    let digits = factors?.iter().product::<u64>().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    Some(groups.join(","))
}

#[test]
fn the_readmes_list_settings_that_exist_with_their_defaults() {
    let read = |file: &str| fs::read_to_string(root().join("src").join(file)).unwrap();
    let settings = read("rule/settings.rs");
    let setters =
        [&read("layer/builder.rs"), &read("rule/setters.rs"), &read("rule/limited.rs"), &read("rule/on_demand.rs")];
    for (page, head) in [("README.md", "| setting | default |"), ("README.zh-CN.md", "| 设置 | 默认 |")] {
        let mut compared = 0;
        for row in table(page, head) {
            for setting in code(&row[0]) {
                let is_setter = setters.iter().any(|file| {
                    file.contains(&format!("pub fn {setting}(")) || file.contains(&format!("pub fn {setting}<"))
                });
                assert!(is_setter || settings.contains(&format!("\n        {setting}(")), "{page}: {setting}");
                if let Some(default) = default_of(setting, &settings) {
                    assert_eq!(row[1], default, "{page}: {setting}");
                    compared += 1;
                }
            }
        }
        assert!(compared >= 5, "{page}: {compared}");
    }
}

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

#[test]
fn the_sections_of_the_readmes_are_in_the_order_in_which_a_reader_needs_them() {
    let sections = |page: &str| -> Vec<String> {
        text(page).lines().filter_map(|line| line.strip_prefix("## ").map(str::to_owned)).collect()
    };
    assert_eq!(
        sections("README.md"),
        [
            "What JPush is",
            "Add it",
            "An axum application",
            "What a client sees",
            "Try it without an account",
            "Where to mount it",
            "Take the phone from the decision",
            "Roll it out",
            "Settings",
            "Features",
            "MSRV, documentation, security contact",
        ]
    );
    assert_eq!(sections("README.zh-CN.md").len(), sections("README.md").len());
}

#[test]
fn the_readmes_and_the_page_for_contributors_have_the_minimum_version_of_the_manifest() {
    let manifest = text("Cargo.toml");
    let version = manifest.split_once("\nrust-version = \"").unwrap().1.split('"').next().unwrap();
    for page in READMES.into_iter().chain(["CONTRIBUTING.md"]) {
        let text = text(page);
        let mut versions =
            text.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|word| word.trim_end_matches('.'));
        assert!(versions.any(|named| named == version), "{page}: {version}");
    }
}

#[test]
fn both_readmes_list_the_same_settings_and_features_with_the_same_numbers() {
    let numbers = |cell: &str| -> Vec<String> {
        let digits = cell
            .split(|c: char| !(c.is_ascii_digit() || c == ','))
            .filter(|digits| digits.contains(|c: char| c.is_ascii_digit()));
        digits.map(str::to_owned).collect()
    };
    for (english, chinese) in [("| setting | default |", "| 设置 | 默认 |"), ("| feature |", "| feature |")] {
        let (english, chinese) = (table("README.md", english), table("README.zh-CN.md", chinese));
        let names = |rows: &[Vec<String>]| -> Vec<String> { rows.iter().map(|row| code(&row[0]).join(" ")).collect() };
        assert_eq!(names(&chinese), names(&english));
        for (english, chinese) in english.iter().zip(&chinese) {
            assert_eq!(numbers(&chinese[1]), numbers(&english[1]), "{}", english[0]);
        }
    }
}

#[test]
fn the_limits_of_a_client_in_the_readmes_are_those_of_the_page() {
    // `numbers` compares the limits of the page with the defaults.
    assert!(text("src/judge/bulkhead.rs").contains("const PART: usize = 8;"));
    for (page, sentence) in [
        (
            "README.md",
            "at most an eighth of `in_flight`, sends 600 requests a minute, and three in ten minutes for one phone",
        ),
        ("README.zh-CN.md", "最多占用 `in_flight` 的八分之一,每分钟最多 600 个请求,每个手机号十分钟最多三次"),
    ] {
        assert!(text(page).contains(sentence), "{page}");
    }
}

#[test]
fn the_readmes_name_each_setting_that_does_not_work_on_demand() {
    let source = text("src/rule/on_demand.rs");
    let check = source.split_once("pub(super) fn check(").unwrap().1.split("\n}").next().unwrap();
    let is_setting =
        |name: &&str| name.contains('_') && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
    let refused: BTreeSet<&str> = code(check).into_iter().filter(is_setting).collect();
    assert!(refused.len() >= 6, "{refused:?}");
    for (page, start) in READMES.into_iter().zip(["It does not work with", "它不能与 `pin_phone`"]) {
        let text = text(page);
        let (at, _) = text.match_indices(start).next().unwrap();
        let listed: BTreeSet<&str> = code(text[at..].split("`build()`").next().unwrap()).into_iter().collect();
        assert_eq!(listed, refused, "{page}");
    }
}

/// The programs of a page in Rust, without their comments.
fn programs(page: &str) -> Vec<String> {
    let text = text(page);
    let blocks = text.split("\n```").skip(1).step_by(2).filter(|block| block.starts_with("rust"));
    let code = |block: &str| block.lines().map(|line| line.split(" // ").next().unwrap().to_owned() + "\n").collect();
    blocks.map(code).collect()
}

#[test]
fn both_readmes_have_the_same_programs() {
    let english = programs("README.md");
    assert!(english.len() >= 5, "{}", english.len());
    assert_eq!(programs("README.zh-CN.md"), english);
    let lines = english[0].lines().skip(1).filter(|line| !line.is_empty()).count();
    assert!(lines <= 15, "the first program has {lines} lines");
}

#[test]
fn the_readmes_name_each_example_that_is_started_and_its_variables_and_flags() {
    let started = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let started: Vec<String> = started
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        // It measures, and is explained in `docs/scaling.md`.
        .filter(|name| name != "instances")
        .collect();
    assert!(started.len() >= 8, "{started:?}");
    let common = text("examples/common/mod.rs");
    let flags = common.split("const ").filter_map(|rest| rest.split_once(": &str = \"--")?.1.split('"').next());
    let flags = flags.map(|flag| format!("--{flag}")).chain(["--sandbox".to_owned()]);
    let read: BTreeSet<String> =
        common.split("var(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    let read: BTreeSet<String> = read.into_iter().chain(flags).collect();
    assert!(read.len() >= 9, "{read:?}");
    for (page, head) in READMES.into_iter().zip(["| | meaning |", "| | 含义 |"]) {
        let (text, rows) = (text(page), table(page, head));
        let listed: BTreeSet<String> = rows.iter().flat_map(|row| code(&row[0])).map(str::to_owned).collect();
        assert_eq!(listed, read, "{page}");
        for name in &started {
            let is_named =
                [format!("`{name}`"), format!("--example {name} ")].iter().any(|spelling| text.contains(spelling));
            assert!(is_named, "{page} does not name the example {name}");
        }
    }
}
