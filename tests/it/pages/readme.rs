//! Headers, settings and features of the READMEs, against the source.

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
