//! The known differences between parsers. Each is refused by the layer; `docs/differences.md` tells them to people.
//!
//! `DIFFERENCES=1 cargo test --test differential` writes the table of that page anew.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use crate::{
    bodies::{Body, Fields, Kind},
    layer::Layer,
    peers::{Part, Peers, Reading},
};

/// What it is about, and a body that shows it.
const JSON: &[(&str, &[u8])] = &[
    ("the last of two wins, nearly everywhere", br#"{"token":"t","phone":"13812345678","phone":"13912345678"}"#),
    (
        "a key that is written differently is the same",
        br#"{"token":"t","phone":"13812345678","\u0070hone":"13912345678"}"#,
    ),
    (
        "case: no peer here folds it, Go, Java and .NET can",
        br#"{"token":"t","phone":"13812345678","Phone":"13912345678"}"#,
    ),
    ("byte order mark", b"\xef\xbb\xbf{\"token\":\"t\",\"phone\":\"13812345678\"}"),
    ("UTF-16", b"{\0\"\0p\0h\0o\0n\0e\0\"\0:\0\"\01\08\0\"\0}\0"),
    ("bad UTF-8 in a value that is read", b"{\"token\":\"t\xff\",\"phone\":\"13812345678\"}"),
    ("bad UTF-8 where nobody reads", b"{\"token\":\"t\",\"phone\":\"13812345678\",\"x\":\"\xff\"}"),
    ("bad UTF-8 in a key", b"{\"token\":\"t\",\"phone\":\"13812345678\",\"phone\xff\":1}"),
    ("half a surrogate pair in a value that is read", br#"{"token":"t\ud800","phone":"13812345678"}"#),
    ("half a surrogate pair where nobody reads", br#"{"token":"t","phone":"13812345678","x":"\ud800"}"#),
    ("NUL in a value", br#"{"token":"t\u0000","phone":"13812345678"}"#),
    ("a key cut at NUL by C parsers", br#"{"token":"t","phone":"13812345678","phone\u0000":"13912345678"}"#),
    ("a control character as it is", b"{\"token\":\"t\tu\",\"phone\":\"13812345678\"}"),
    ("exponent", br#"{"token":"t","phone":1.3812345678e10}"#),
    ("fraction of nothing", br#"{"token":"t","phone":13812345678.0}"#),
    ("big number in place of a phone", br#"{"token":"t","phone":113812345678123456789}"#),
    ("number beyond doubles", br#"{"token":"t","phone":"13812345678","x":1e400}"#),
    ("not a number", br#"{"token":"t","phone":"13812345678","x":NaN}"#),
    ("infinity", br#"{"token":"t","phone":"13812345678","x":-Infinity}"#),
    ("form feed as white space", b"{\"token\":\"t\",\"phone\":\"13812345678\"}\x0c"),
    ("a list in place of the object", br#"["t","13812345678"]"#),
    ("trailing comma", br#"{"token":"t","phone":"13812345678",}"#),
    ("two documents", br#"{"token":"t","phone":"13812345678"}{"phone":"13912345678"}"#),
    ("prototype in place of a member", br#"{"token":"t","__proto__":{"phone":"13912345678"}}"#),
];

const FORMS: &[(&str, &[u8])] = &[
    ("twice", b"token=t&phone=13812345678&phone=13912345678"),
    ("as a list", b"token=t&phone[]=13812345678"),
    ("as a list beside itself", b"token=t&phone=13812345678&phone[]=13912345678"),
    ("with an index", b"token=t&phone=13812345678&phone[0]=13912345678"),
    ("escaped brackets", b"token=t&phone%5B%5D=13812345678"),
    ("in brackets", b"token=t&[phone]=13812345678"),
    ("with a leading space", b"token=t&+phone=13812345678"),
    ("cut at NUL", b"token=t&phone%00x=13812345678"),
    ("a semicolon as separator", b"token=t;phone=13812345678"),
    ("a semicolon in a value", b"token=t&phone=13812345678;phone=13912345678"),
    ("a broken escape", b"token=%zz&phone=13812345678"),
    ("an escape that is no UTF-8", b"token=%ff&phone=13812345678"),
    ("a raw byte that is no UTF-8", b"token=\xff&phone=13812345678"),
    ("a question mark in front", b"?phone=13912345678&token=t&phone=13812345678"),
    ("a bracket before the equals sign", b"token=a]=b&phone=13812345678"),
    ("no equals sign", b"token&phone=13812345678"),
    ("a byte order mark", b"\xef\xbb\xbfphone=13812345678&token=t"),
];

const UNDERSCORES: &[(&str, &[u8])] = &[
    ("a dot for an underscore", b"login_token=t&phone_number=13812345678&phone.number=13912345678"),
    ("a space for an underscore", b"login_token=t&phone_number=13812345678&phone+number=13912345678"),
    ("an open bracket for an underscore", b"login_token=t&phone_number=13812345678&phone[number=13912345678"),
    ("brackets", b"login_token=t&phone_number=13812345678&phone_number[x]=13912345678"),
];

/// Whether not all readers read the same.
pub(crate) fn differ(readings: &[(String, Reading)]) -> bool {
    readings.iter().map(|(_, reading)| reading).collect::<BTreeSet<_>>().len() > 1
}

#[test]
fn what_parsers_are_known_to_read_differently_is_refused() {
    let (layer, mut peers) = (Layer::new(), Peers::start());
    let mut page = String::new();
    for (kind, fields, title, known) in [
        (Kind::Json, Fields::Default, "JSON", JSON),
        (Kind::Form, Fields::Default, "Forms", FORMS),
        (Kind::Form, Fields::Underscores, "Forms whose guarded names have an underscore", UNDERSCORES),
    ] {
        write!(page, "\n## {title}\n\n").unwrap();
        for (what, bytes) in known {
            let body = Body { kind, fields, bytes: bytes.to_vec() };
            assert_eq!(layer.accepts(&body), None, "let in: {what}: {}", bytes.escape_ascii());
            describe(what, &body, &peers.read(&body), &mut page);
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
    for (name, reading) in readings {
        match distinct.iter_mut().find(|(other, _)| *other == reading) {
            Some((_, names)) => names.push(name),
            None => distinct.push((reading, vec![name])),
        }
    }
    for (reading, names) in distinct {
        let reading = match reading {
            Reading::Refused => "refused".to_owned(),
            Reading::Read([token, phone]) => format!("token {}, phone {}", told(token), told(phone)),
        };
        writeln!(page, "  {}: {reading}  ", names.join(", ")).unwrap();
    }
    page.push('\n');
}

fn told(part: &Part) -> String {
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

/// Writes what follows the line of the versions anew; what stands before it is written by hand.
fn write_page(versions: &[String], entries: &str) {
    const MARK: &str = "\nReaders: ";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, _) = page.split_once(MARK).expect("the page has a line that begins with `Readers: `");
    let versions = versions.join("; ");
    fs::write(path, format!("{by_hand}{MARK}serde_json, form_urlencoded; {versions}.\n{entries}")).unwrap();
}
