//! The events and metrics of `docs/operating.md` and its Chinese version, against the source.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{code, root, source, table};

/// An event as the source writes it.
#[derive(Debug)]
struct Event {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// As in the source: `{…}` is a value of the event.
    message: String,
}

/// A row of the page's table of events.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    message: String,
    levels: String,
    fields: BTreeSet<String>,
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

/// A literal as it is written to the log.
fn written(literal: &str) -> String {
    let joined = literal.trim_matches('"').replace("\\\n", "\n");
    let words: Vec<&str> = joined.split('\n').map(str::trim_start).collect();
    words.concat()
}

/// Whether a message is what this template writes, with some text for each of its values.
fn is_of(message: &str, template: &str) -> bool {
    let Some((start, rest)) = template.split_once('{') else { return message == template };
    let Some(left) = message.strip_prefix(start) else { return false };
    let (_, rest) = rest.split_once('}').unwrap();
    left.char_indices().skip(1).any(|(at, _)| is_of(&left[at..], rest)) || (rest.is_empty() && !left.is_empty())
}

/// The literals of these folders of the source.
fn literals(folders: &[&str]) -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in folders {
        sources(&root().join("src").join(folder), &mut files);
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| text.split('"').map(written).collect::<Vec<_>>()).collect()
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
                message = DECIDED.into();
            }
            let fields = fields.map(|field| field.split('=').next().unwrap().trim().to_owned()).collect();
            events.push(Event { levels, fields, message });
        }
    }
    events
}

/// The row of the event of a decision, whose message depends on the decision.
const DECIDED: &str = "decided, or what is wrong and what to do";

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
        let mut of_event = rows.iter().filter(|row| is_of(&row.message, &event.message)).peekable();
        assert!(of_event.peek().is_some(), "docs/operating.md has no row for {event:#?}");
        for row in of_event {
            let levels: BTreeSet<String> = row.levels.split(", ").map(str::to_owned).collect();
            assert_eq!(levels, event.levels, "{event:#?}");
            assert_eq!(row.fields, event.fields, "{event:#?}");
        }
    }
    let literals = literals(&["observe", "rule", "layer"]);
    for row in &rows {
        let event = events.iter().find(|event| is_of(&row.message, &event.message));
        let event = event.unwrap_or_else(|| panic!("no event of the source is {row:#?}"));
        if let Some(why) = event.message.strip_suffix("{why}") {
            assert!(literals.contains(row.message.strip_prefix(why).unwrap()), "{row:#?}");
        }
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

#[test]
fn both_pages_list_each_kind_of_alarm_and_each_span() {
    let alarms = source("observe/alarms.rs");
    let words = alarms.split_once("const fn as_str(self)").unwrap().1.split("\n    }").next().unwrap();
    let kinds: BTreeSet<&str> = words.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(kinds.len() >= 11, "{kinds:?}");
    let log = source("log.rs");
    let spans = log.split("\"jverify.").skip(1).map(|rest| format!("jverify.{}", rest.split('"').next().unwrap()));
    let spans: BTreeSet<String> = spans.collect();
    assert_eq!(spans.len(), 3, "{spans:?}");
    for (page, head) in [("docs/operating.md", "| kind | when |"), ("docs/operating.zh-CN.md", "| 种类 | 何时 |")] {
        let rows = table(page, head);
        let listed: BTreeSet<&str> = rows.iter().flat_map(|row| code(&row[0])).collect();
        assert_eq!(listed, kinds, "{page}");
        let text = fs::read_to_string(root().join(page)).unwrap();
        for span in &spans {
            assert!(text.contains(&format!("\n| `{span}`")), "{page}: {span}");
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
fn the_log_lines_of_both_pages_have_the_messages_levels_and_fields_that_the_source_writes() {
    let (events, literals) = (events(), literals(&["observe", "jpush"]));
    let decided = events.iter().find(|event| event.message == DECIDED).unwrap();
    for page in ["docs/operating.md", "docs/operating.zh-CN.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(" tower_jverify: "));
        let lines: Vec<(&str, &str)> =
            lines.filter(|(level, _)| level.bytes().all(|b| b.is_ascii_uppercase())).collect();
        assert!(lines.len() >= 10, "{page}: {}", lines.len());
        for (level, line) in lines {
            let (message, fields) = message_and_fields(line);
            let event = events.iter().find(|event| is_of(message, &event.message)).unwrap_or(decided);
            if event.message == DECIDED {
                assert!(literals.contains(message), "{page}: the source writes no such message: {line}");
                assert_eq!(fields[..4], ["rule", "account", "mode", "decision"], "{page}: {line}");
            }
            assert!(event.levels.contains(level), "{page}: {level}: {line}");
            for field in &fields {
                assert!(event.fields.contains(*field), "{page}: {field}: {line}");
            }
        }
    }
}

#[test]
fn a_message_is_of_a_template_with_a_text_for_each_value() {
    assert!(is_of("built", "built"));
    assert!(!is_of("built again", "built"));
    assert!(is_of("path: a; reads b", "path: {path}; reads {peer}"));
    for other in ["path: a", "path: a; writes b", "path: a; reads ", "path: ; reads b", "a path: a; reads b"] {
        assert!(!is_of(other, "path: {path}; reads {peer}"), "{other}");
    }
}
