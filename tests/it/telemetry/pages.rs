//! `docs/operating.md` has every event of the source, and `docs/data.md` every header.

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
#[derive(Debug)]
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

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let table = page.split_once("## Every event").unwrap().1.split("\n##").next().unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| ") && !line.contains("| message |"));
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
    let (events, rows) = (events(), rows());
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
fn the_words_of_decisions_and_reasons_are_in_the_page() {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
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
fn every_header_of_ours_is_among_the_promises() {
    let page = fs::read_to_string(root().join("docs/data.md")).unwrap();
    let names = fs::read_to_string(root().join("src/headers/names.rs")).unwrap();
    let headers: Vec<&str> = names.split("name(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(headers.len() >= 9, "{headers:?}");
    for header in headers {
        assert!(page.contains(&format!("`{header}`")), "{header}");
    }
}
