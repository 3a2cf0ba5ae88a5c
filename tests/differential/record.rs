//! The known differences between parsers. Each is refused by the layer; `docs/differences.md` lists them.
//!
//! `DIFFERENCES=1 cargo test --all-features --test differential` writes that list.

use std::{env, fmt::Write as _, fs, path::Path};

use crate::{
    bodies::{Body, Fields, Kind},
    layer::{Accepted, Layer, Run},
    peers::{Part, Peers, Reading},
};

/// What it is about, and a body that shows it.
type Known = (&'static str, &'static [u8]);

const JSON: &[Known] = &[
    ("A name twice", br#"{"token":"t","phone":"13812345678","phone":"13912345678"}"#),
    ("A name twice, once escaped", br#"{"token":"t","phone":"13812345678","\u0070hone":"13912345678"}"#),
    ("Case (no reader here folds it; Go, fastjson and Json.NET do)", br#"{"token":"t","Phone":"13912345678"}"#),
    ("A byte order mark", b"\xef\xbb\xbf{\"token\":\"t\",\"phone\":\"13812345678\"}"),
    ("UTF-16", b"{\x00\"\x00p\x00h\x00o\x00n\x00e\x00\"\x00:\x00\"\x001\x00\"\x00}\x00"),
    ("Bad UTF-8 in a value", b"{\"token\":\"t\xff\",\"phone\":\"13812345678\"}"),
    ("Bad UTF-8 where nobody reads", b"{\"token\":\"t\",\"phone\":\"13812345678\",\"x\":\"\xff\"}"),
    ("Half a surrogate pair in a value", br#"{"token":"t\ud800","phone":"13812345678"}"#),
    ("Half a surrogate pair where nobody reads", br#"{"token":"t","phone":"13812345678","x":"\ud800"}"#),
    ("NUL in a name (C parsers end there)", br#"{"token":"t","phone":"13812345678","phone\u0000":"13912345678"}"#),
    ("NUL before a name", br#"{"token":"t","\u0000":1,"phone":1.0}"#),
    ("An exponent", br#"{"token":"t","phone":1.3812345678e10}"#),
    ("A fraction of nothing", br#"{"token":"t","phone":13812345678.0}"#),
    ("An integer beyond 64 bits", br#"{"token":"t","phone":113812345678123456789}"#),
    ("A number beyond doubles", br#"{"token":"t","phone":"13812345678","x":1e400}"#),
    ("NaN", br#"{"token":"t","phone":"13812345678","x":NaN}"#),
    ("The other type: a list", br#"{"token":"t","phone":["13812345678"]}"#),
    ("The other type: an object with a numeric name", br#"{"token":"t","phone":{"0":"13812345678"}}"#),
    ("The other type: true", br#"{"token":"t","phone":true}"#),
    ("A list in place of the object", br#"["t","13812345678"]"#),
];

const FORMS: &[Known] = &[
    ("A name twice", b"token=t&phone=13812345678&phone=13912345678"),
    ("As a list", b"token=t&phone[]=13812345678"),
    ("Beside a list", b"token=t&phone=13812345678&phone[]=13912345678"),
    ("Escaped brackets", b"token=t&phone=13812345678&phone%5B%5D=13912345678"),
    ("Brackets that are never closed", b"token=t&phone=13812345678&phone[=13912345678"),
    ("Inside of brackets", b"token=t&[phone]=13812345678"),
    ("A space before a name", b"token=t&phone=13812345678&+phone=13912345678"),
    ("NUL after a name", b"token=t&phone=13812345678&phone%00x=13912345678"),
    ("A raw NUL", b"x=\0&token=t&phone=13812345678"),
    ("A semicolon (a separator until some years ago)", b"token=t;phone=13812345678"),
    ("A broken escape", b"token=a%zz%4&phone=13812345678"),
    ("A broken escape, and a good one", b"token=%41%zz&phone=13812345678"),
    ("An escape that is no UTF-8", b"token=%ff&phone=13812345678"),
    ("Raw bytes that are no UTF-8", b"token=\xff&phone=13812345678"),
    ("Half of a character escaped", b"token=%C3\xa9&phone=13812345678"),
    ("A question mark in front", b"?phone=13912345678&token=t&phone=13812345678"),
    ("A bracket before an equals sign", b"token=a]=b&phone=13812345678"),
];

const UNDERSCORES: &[Known] = &[
    ("A dot for an underscore", b"login_token=t&phone_number=13812345678&phone.number=13912345678"),
    ("A space for an underscore", b"login_token=t&phone_number=13812345678&phone+number=13912345678"),
    ("An open bracket for an underscore", b"login_token=t&phone_number=13812345678&phone[number=13912345678"),
];

/// Sent as forms.
const JSON_IN_FORMS: &[Known] = &[
    (
        "JSON for a reader that ignores the type",
        br#"{"token":"x","phone":"13912345678","y":"&token=t&phone=13812345678&z="}"#,
    ),
    ("JSON in a value", br#"token=t&phone=13812345678&y={"token":"x","phone":"13912345678"}"#),
    ("A key whose last part is the phone's name", b"token=t&phone=13812345678&model.phone=13912345678"),
    ("The same in brackets", b"token=t&phone=13812345678&model[phone]=13912345678"),
];

/// Sent as JSON.
const FORMS_IN_JSON: &[Known] = &[
    (
        "A form for a reader that ignores the type",
        br#"{"token":"t","phone":"13812345678","y":"&token=x&phone=13912345678&z="}"#,
    ),
    ("The same with an escaped letter", br#"{"token":"t","phone":"13812345678","y":"&ph%6fne=13912345678&z="}"#),
    ("A form inside of a name", br#"{"token":"t","phone":"13812345678","&phone=13912345678&z=":1}"#),
    ("The phone in another object", br#"{"token":"t","phone":"13812345678","session":{"phone":"13912345678"}}"#),
];

#[test]
fn what_parsers_are_known_to_read_differently_is_refused() {
    let (plain, foreign, mut peers) = (Layer::new(Run::Plain), Layer::new(Run::Foreign), Peers::start());
    let mut page = String::new();
    for (layer, kind, fields, title, known) in [
        (&plain, Kind::Json, Fields::Default, "JSON", JSON),
        (&plain, Kind::Form, Fields::Default, "Forms", FORMS),
        (&plain, Kind::Form, Fields::Underscores, "Forms whose guarded names have an underscore", UNDERSCORES),
        (&foreign, Kind::Form, Fields::Default, "Forms with another phone inside (`foreign_backend`)", JSON_IN_FORMS),
        (&foreign, Kind::Json, Fields::Default, "JSON with another phone inside (`foreign_backend`)", FORMS_IN_JSON),
    ] {
        write!(page, "\n## {title}\n\n").unwrap();
        for (what, bytes) in known {
            let body = Body::plain(kind, fields, bytes);
            assert!(layer.accepts(&body).is_none(), "let in: {what}: {}", bytes.escape_ascii());
            describe(what, &body, &peers.all(&Accepted::as_it_came(&body), fields), &mut page);
        }
    }
    if env::var("DIFFERENCES").is_ok() {
        write_page(&peers.versions, &page);
    }
}

/// One entry: the body, and what each reader makes of it; readers that agree share a line.
fn describe(what: &str, body: &Body, readings: &[(String, Reading)], page: &mut String) {
    writeln!(page, "- **{what}**\n\n      {}\n", shown(&body.bytes)).unwrap();
    let mut distinct: Vec<(&Reading, Vec<&str>)> = Vec::new();
    // Readers of the other type refuse most bodies or find nothing: that says little.
    let finds = |(_, reading): &&(String, Reading)| matches!(reading, Reading::Read(parts) if parts.iter().any(|part| *part != Part::Absent));
    for (name, reading) in readings.iter().filter(finds) {
        match distinct.iter_mut().find(|(other, _)| *other == reading) {
            Some((_, names)) => names.push(name),
            None => distinct.push((reading, vec![name])),
        }
    }
    for (reading, names) in distinct {
        let reading = match reading {
            Reading::Refused => "refused".to_owned(),
            Reading::Read([token, phone]) => format!("token {}, phone {}", described(token), described(phone)),
        };
        writeln!(page, "  {}: {reading}  ", names.join(", ")).unwrap();
    }
    page.push('\n');
}

fn described(part: &Part) -> String {
    match part {
        Part::Absent => "–".to_owned(),
        Part::Text(text) => format!("`{}`", shown(text)),
        Part::Other(other) => format!("`{other}` (no text, no integer)"),
    }
}

/// Bytes as they are where they can be seen, else `\xNN`.
fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                ' '..='~' => out.push(c),
                c if c.is_alphanumeric() || c == char::REPLACEMENT_CHARACTER => out.push(c),
                c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| write!(out, "\\x{byte:02x}").unwrap()),
            }
        }
        chunk.invalid().iter().for_each(|byte| write!(out, "\\x{byte:02x}").unwrap());
    }
    out
}

/// Rewrites everything after the line of the versions. What precedes that line is written by hand.
fn write_page(versions: &[String], entries: &str) {
    const MARK: &str = "\nReaders: ";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, _) = page.split_once(MARK).expect("the page has a line that begins with `Readers: `");
    let versions = versions.join("; ");
    fs::write(path, format!("{by_hand}{MARK}serde_json, form_urlencoded; {versions}.\n{entries}")).unwrap();
}
