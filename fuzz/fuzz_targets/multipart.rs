//! If a multipart body passes, then multer, and a reader that cuts it at anything like a boundary and accepts a name at any place,
//! read the same proof as the verifier got, and read it once.
//!
//! Input: the `Content-Type` in the first line, then the body.
#![no_main]

use std::{convert::Infallible, sync::LazyLock};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower_jverify::{Class, JVerifyLayer, Media, Rule, number};
use tower_jverify_fuzz::{Verifier, guarding, names::READINGS, send, wait};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Passed));
static LAYER: LazyLock<JVerifyLayer<Verifier>> =
    LazyLock::new(|| guarding(&VERIFIER, [Rule::post("/login", number()).accept([Media::Multipart])]));

/// Names and data, in order.
type Parts = Vec<(String, Vec<u8>)>;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (content_type, body) = (&input[..end], &input[end + 1..]);
    let Ok(value) = HeaderValue::from_bytes(content_type) else { return };
    let request = Request::post("/login").header("content-type", value);
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request that stands");
    let Some(asked) = send(&LAYER, &VERIFIER, request).accepted() else { return };

    let content_type = str::from_utf8(content_type).expect("what is let in says its type in text");
    let boundary = first_boundary(content_type);
    // multer reads no type that has white space in odd places.
    if let Ok(theirs) = multer::parse_boundary(content_type) {
        assert_eq!(theirs, boundary, "PHP cuts the body elsewhere");
    }
    for (reader, parts) in [("multer", by_multer(body, boundary)), ("a careless one", carelessly(body, boundary))] {
        for (name, value) in [("token", &asked.token), ("phone", &asked.phone)] {
            for read in READINGS {
                let found: Vec<_> = parts.iter().filter(|(key, _)| read(key) == name).map(|(_, data)| data).collect();
                assert_eq!(found, [value.as_bytes()], "{name}, as {reader} reads {parts:?}");
            }
        }
    }
});

/// What comes after the first `boundary` and an equals sign, wherever it is.
fn first_boundary(content_type: &str) -> &str {
    let at = content_type.to_ascii_lowercase().find("boundary").expect("there is one");
    let (_, value) = content_type[at..].split_once('=').expect("with a value");
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => value.split([',', ';']).next().unwrap_or_default().trim_ascii_end(),
    }
}

fn by_multer(body: &[u8], boundary: &str) -> Parts {
    // In pieces, since it must not matter.
    let pieces: Vec<_> = body.chunks(7).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))).collect();
    wait(async {
        let mut parts = Vec::new();
        let mut fields = multer::Multipart::new(stream::iter(pieces), boundary);
        while let Some(field) = fields.next_field().await.expect("what is let in can be read") {
            let name = field.name().unwrap_or_default().to_owned();
            parts.push((name, field.bytes().await.expect("whole").to_vec()));
        }
        parts
    })
}

/// Line by line, as Python's `email` and old CGI libraries: a line that begins like a boundary is one, an empty line ends
/// a head, lines end with or without CR, and a name is whatever comes after `name=` in a line that holds `Content-Disposition`, or after `Content-ID`.
fn carelessly(body: &[u8], boundary: &str) -> Parts {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = Vec::new();
    // The names in the head, and once it is over the data.
    let mut part: Option<(Vec<String>, Option<Vec<u8>>)> = None;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(&delimiter) {
            if let Some((names, data)) = part.replace(Default::default()) {
                let data = data.unwrap_or_default();
                let data = data.strip_suffix(b"\n").unwrap_or(&data);
                let data = data.strip_suffix(b"\r").unwrap_or(data);
                parts.extend(names.into_iter().map(|name| (name, data.to_vec())));
            }
            continue;
        }
        match &mut part {
            None => {}
            Some((_, Some(data))) => data.extend(line),
            Some((_, data)) if line.trim_ascii().is_empty() => *data = Some(Vec::new()),
            Some((names, None)) => names.extend(names_in(&String::from_utf8_lossy(line))),
        }
    }
    parts
}

fn names_in(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    let folded = line.to_ascii_lowercase();
    names.extend(folded.split_once("content-id:").map(|(_, id)| id.trim_ascii().to_owned()));
    if !folded.contains("content-disposition") {
        return names;
    }
    for (at, found) in folded.match_indices("name") {
        if folded[..at].ends_with(|before: char| before.is_ascii_alphanumeric()) {
            continue;
        }
        let Some(value) = line[at + found.len()..].trim_ascii_start().trim_start_matches('*').strip_prefix('=') else {
            continue;
        };
        let value = value.trim_ascii_start();
        let name = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
            _ => value.split([';', ',', ' ', '\t', '\r', '\n']).next(),
        };
        names.push(name.unwrap_or_default().to_owned());
    }
    names
}
