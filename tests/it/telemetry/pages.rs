//! The tables of the pages against the source: events and metrics of `docs/operating.md` and its Chinese version, headers
//! of `docs/data.md`, and headers, settings and features of the READMEs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// An event as the source writes it.
#[derive(Debug)]
struct Event {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// As far as it is the same for every event.
    message: String,
}

/// A row of the page's table of events.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    message: String,
    levels: String,
    fields: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if !path.ends_with("log.rs") {
            files.push(path);
        }
    }
}

/// What is between this parenthesis and the one that closes it, without what is in texts being taken for code.
fn enclosed(text: &str) -> &str {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => is_escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => return &text[..at],
            ')' if !in_text => depth -= 1,
            _ => {}
        }
    }
    panic!("no end: {text}");
}

/// The arguments of a macro.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut in_text, mut is_escaped) = (0_i32, false, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '\\' if in_text && !was_escaped => is_escaped = true,
            '"' if !was_escaped => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    let trimmed = arguments.into_iter().map(|argument| argument.trim().to_owned());
    trimmed.filter(|argument| !argument.is_empty()).collect()
}

/// A literal as it is written to the log, as far as it is fixed.
fn written(literal: &str) -> String {
    let joined = literal.trim_matches('"').replace("\\\n", "\n");
    let words: Vec<&str> = joined.split('\n').map(str::trim_start).collect();
    words.concat().split('{').next().unwrap().trim().to_owned()
}

fn events() -> Vec<Event> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut events = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for (at, _) in code.match_indices("event!(") {
            let arguments = arguments(enclosed(&code[at + "event!(".len()..]));
            let (level, rest) = arguments.split_first().unwrap();
            let is_text = |argument: &&String| argument.starts_with('"');
            let (text, fields) =
                (rest.iter().find(is_text).unwrap(), rest.iter().take_while(|argument| !is_text(argument)));
            let mut levels = BTreeSet::from([level.clone()]);
            let mut message = written(text);
            if level == "$level" {
                // The event of a decision: its level and its message are chosen when it is written.
                let macros = code.match_indices("decided!(").map(|(at, call)| &code[at + call.len()..]);
                levels = macros.map(|call| call.split(',').next().unwrap().trim().to_owned()).collect();
                message = "decided".into();
            }
            let fields = fields.map(|field| field.split('=').next().unwrap().trim().to_owned()).collect();
            events.push(Event { levels, fields, message });
        }
    }
    events
}

/// The rows of the table under a heading of a page.
fn rows(page: &str, heading: &str) -> Vec<Row> {
    let page = fs::read_to_string(root().join(page)).unwrap();
    let table = page.split_once(heading).unwrap().1.split("\n##").next().unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let fields = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Row { message: cells[0].to_owned(), levels: cells[1].to_owned(), fields }
        })
        .collect()
}

#[test]
fn every_event_of_the_source_is_in_the_table_with_its_level_and_its_fields() {
    let (events, rows) = (events(), rows("docs/operating.md", "## Every event"));
    assert!(events.len() >= 14, "the test found only {} events", events.len());
    for event in &events {
        let row = rows.iter().find(|row| row.message.starts_with(&event.message));
        let row = row.unwrap_or_else(|| panic!("docs/operating.md has no row for {event:#?}"));
        let levels: BTreeSet<String> = row.levels.split(", ").map(str::to_owned).collect();
        assert_eq!(levels, event.levels, "{event:#?}");
        assert_eq!(row.fields, event.fields, "{event:#?}");
    }
    for row in &rows {
        assert!(
            events.iter().any(|event| row.message.starts_with(&event.message)),
            "no event of the source is {row:#?}"
        );
    }
}

#[test]
fn the_chinese_page_has_the_same_events_and_metrics() {
    for (english, chinese) in [("## Every event", "## 全部事件"), ("## Every metric", "## 全部指标")] {
        let (english, chinese) = (rows("docs/operating.md", english), rows("docs/operating.zh-CN.md", chinese));
        assert_eq!(chinese, english);
        assert!(english.len() >= 14, "{english:#?}");
    }
}

#[test]
fn the_words_of_decisions_and_reasons_are_in_both_pages() {
    for page in ["docs/operating.md", "docs/operating.zh-CN.md"] {
        the_words_of_decisions_and_reasons_are_in(page);
    }
}

fn the_words_of_decisions_and_reasons_are_in(page: &str) {
    let page = fs::read_to_string(root().join(page)).unwrap();
    // The words in the source, in the functions that write them.
    for (file, function) in [
        ("observe/decided.rs", "const fn as_str(self)"),
        ("decision/mod.rs", "pub const fn as_str(self)"),
        ("denial/reason.rs", "pub const fn as_str(self)"),
        ("verdict/class.rs", "pub const fn as_str(self)"),
        ("foreign_backend.rs", "pub const fn as_str(self)"),
    ] {
        let text = fs::read_to_string(root().join("src").join(file)).unwrap();
        let body = text.split_once(function).unwrap_or_else(|| panic!("{file}")).1.split("\n    }").next().unwrap();
        let words: Vec<&str> = body.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(!words.is_empty(), "{file}");
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "{file}: {word}");
        }
    }
}

/// The settings that weaken a rule, as the source writes them to the log.
fn weakening() -> Vec<String> {
    let of = |file: &str| {
        let text = fs::read_to_string(root().join("src").join(file)).unwrap();
        let switches = text.split_once("let switches = [\n").unwrap().1.split("];").next().unwrap().to_owned();
        let names = switches.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split_once('"'));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    [of("rule/start.rs"), of("decision/policy.rs")].concat()
}

#[test]
fn both_pages_list_the_settings_that_weaken_a_rule() {
    let settings = weakening();
    assert!(settings.len() >= 20, "{settings:?}");
    for (page, heading) in
        [("docs/operating.md", "### Settings that weaken"), ("docs/operating.zh-CN.md", "### 削弱保护的设置")]
    {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let section = text.split_once(heading).unwrap().1.split("\n##").next().unwrap();
        for setting in &settings {
            assert!(section.contains(&format!("`{setting}`")), "{page}: {setting}");
        }
    }
}

/// The programs, requests and answers in a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter(|block| ["sh\n", "json\n"].iter().any(|kind| block.starts_with(kind))).map(str::to_owned).collect()
}

#[test]
fn the_chinese_page_on_passes_has_the_same_commands_and_answers() {
    let english = blocks("docs/step-up.md");
    assert!(english.len() >= 5, "{english:?}");
    assert_eq!(blocks("docs/step-up.zh-CN.md"), english);
    let english = names_of_rows("docs/step-up.md");
    assert!(english.len() >= 30, "{english:?}");
    assert_eq!(names_of_rows("docs/step-up.zh-CN.md"), english);
}

/// What the first cell of each row of a page's tables has between backticks.
fn names_of_rows(page: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.map(|cell| code(cell).into_iter().map(str::to_owned).collect()).collect()
}

/// The message of a log line, and the names of its fields. Values in quotes are skipped.
fn message_and_fields(line: &str) -> (&str, Vec<&str>) {
    let (mut message, mut fields, mut in_text) = (line, Vec::new(), false);
    for (at, c) in line.char_indices() {
        in_text ^= c == '"';
        let name = line[..at].rsplit(' ').next().unwrap();
        if c == '=' && !in_text && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            if fields.is_empty() {
                message = &line[..at - name.len()];
            }
            fields.push(name);
        }
    }
    (message.trim(), fields)
}

#[test]
fn the_log_lines_of_both_pages_have_messages_levels_and_fields_of_the_table() {
    let rows = rows("docs/operating.md", "## Every event");
    let decided = rows.first().unwrap();
    for page in ["docs/operating.md", "docs/operating.zh-CN.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(" tower_jverify: "));
        let lines: Vec<(&str, &str)> =
            lines.filter(|(level, _)| level.bytes().all(|b| b.is_ascii_uppercase())).collect();
        assert!(lines.len() >= 10, "{page}: {}", lines.len());
        for (level, line) in lines {
            let (message, fields) = message_and_fields(line);
            let start = message.split(';').next().unwrap();
            let row =
                rows.iter().find(|row| row.message.split(';').next().unwrap().starts_with(start)).unwrap_or(decided);
            assert!(row.levels.split(", ").any(|known| known == level), "{page}: {level}: {line}");
            for field in &fields {
                assert!(row.fields.contains(*field), "{page}: {field}: {line}");
            }
            if row == decided {
                assert_eq!(fields[..4], ["rule", "account", "mode", "decision"], "{page}: {line}");
            }
        }
    }
}

/// The names of the `x-jverify-*` headers.
fn headers() -> Vec<String> {
    let names = fs::read_to_string(root().join("src/headers/names.rs")).unwrap();
    names.split("name(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// The cells of the table of a page or of a module's documentation whose header row begins so.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).map(|line| line.trim_start_matches("//! "));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> =
        rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect();
    assert!(rows.len() > 5, "{page}: {head}");
    rows
}

/// What a cell has between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
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
