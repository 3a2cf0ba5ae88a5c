//! A body inside another body: one reader reads a value where another reader reads a whole login.

use std::fmt::Write as _;

use crate::{
    bodies::{Chance, Fields},
    words::{PLACES, SEPARATORS},
};

/// Whom an attacker wants to be.
const VICTIM: &str = "13999998888";

/// A text that holds a form, a JSON document or a part of a multipart body with another phone.
pub(crate) fn text(fields: Fields, chance: &mut Chance) -> String {
    let [token, phone] = fields.names();
    match chance.below(6) {
        0..3 => pairs(fields, chance),
        3 => format!("{{\"{token}\":\"x\",\"{phone}\":\"{VICTIM}\"}}"),
        4 => format!("\",\"{phone}\":\"{VICTIM}\",\"z\":\""),
        _ => format!(
            "\r\n--b\r\nContent-Disposition: form-data; name=\"{phone}\"\r\n\r\n{VICTIM}\r\n--b{}",
            chance.pick(&["--\r\n", "--", "\r\n", ""])
        ),
    }
}

/// Pairs of a form, in the middle of something else.
fn pairs(fields: Fields, chance: &mut Chance) -> String {
    let mut text = chance.pick(&["", "", "x", "a=b"]).to_owned();
    for name in fields.names() {
        if chance.one_in(5) {
            continue;
        }
        let value = if name.contains("token") { "x" } else { VICTIM };
        let name = chance.pick(PLACES).replace('@', &spelt(name, chance));
        write!(text, "{}{name}{}{value}", chance.pick(SEPARATORS), chance.pick(&["=", "=", "=", "%3D", ""])).unwrap();
    }
    text + chance.pick(&["&z=", "&z=", "&", ";", ""])
}

/// A name, seldom with a letter escaped or in the other case.
fn spelt(name: &str, chance: &mut Chance) -> String {
    let at = chance.below(name.len());
    let (before, letter, after) = (&name[..at], &name[at..=at], &name[at + 1..]);
    match chance.below(8) {
        0 => format!("{before}%{:02x}{after}", letter.as_bytes()[0]),
        1 => format!("{before}{}{after}", letter.to_uppercase()),
        2 => name.replace('_', chance.pick(&[".", "+", "%5B", "-", ""])),
        _ => name.to_owned(),
    }
}

/// Another object with the phone's name, as JSON.
pub(crate) fn object(fields: Fields, chance: &mut Chance) -> String {
    let [_, phone] = fields.names();
    let name = if chance.one_in(4) { phone.to_uppercase() } else { phone.to_owned() };
    let object = format!("{{\"{name}\":\"{VICTIM}\"}}");
    match chance.below(3) {
        0 => format!("[{object}]"),
        1 => format!("{{\"x\":{object}}}"),
        _ => object,
    }
}

/// One body that is a form to one reader and JSON or multipart to another one, with another phone for each.
pub(crate) fn polyglot(fields: Fields, chance: &mut Chance) -> Vec<u8> {
    let [token, phone] = fields.names();
    let mine = "13811112222";
    let (json, form) = if chance.one_in(2) { (VICTIM, mine) } else { (mine, VICTIM) };
    let pairs = format!("&{token}=real&{phone}={form}&z=");
    let mut text = match chance.below(5) {
        0 | 1 => format!("{{\"{token}\":\"real\",\"{phone}\":\"{json}\",\"y\":\"{pairs}\"}}"),
        2 => format!("{{\"y\":\"{pairs}\",\"{token}\":\"real\",\"{phone}\":\"{json}\"}}"),
        3 => {
            let part = |name: &str, value: &str| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            format!("{}{}{}--b--\r\n", part("y", &pairs), part(token, "real"), part(phone, json))
        }
        _ => format!("{token}=real&{phone}={form}&y={{\"{token}\":\"x\",\"{phone}\":\"{json}\"}}"),
    };
    if fields == Fields::Nested && text.starts_with('{') {
        text = format!("{{\"auth\":{text}}}");
    }
    if chance.one_in(4) {
        text = text.replace('"', chance.pick(&["%22", "\"", "\\\""]));
    }
    text.into_bytes()
}
