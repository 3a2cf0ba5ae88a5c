//! JSON and forms as clients write them: mostly valid, and sometimes sloppy.

use std::fmt::Write as _;

use crate::{
    bodies::{Chance, Fields, bent, other_key, shuffle},
    hidden,
    words::{OTHERS, PHONES, TOKENS},
};

// === JSON ===

pub(crate) fn json(fields: Fields, chance: &mut Chance) -> String {
    let [token, phone] = fields.names();
    let text = chance.mostly(TOKENS.len() - 6, TOKENS);
    let text = if chance.one_in(16) { chance.pick(OTHERS).to_owned() } else { json_text(text, chance) };
    let mut members = vec![(key(token, chance), text), (key(phone, chance), chance.mostly(4, PHONES).to_owned())];
    others(&mut members, fields, chance);
    let mut document = object(&mut members, chance);
    if fields == Fields::Nested {
        let mut members = vec![(key("auth", chance), document)];
        others(&mut members, fields, chance);
        document = object(&mut members, chance);
    }
    document
}

fn others(members: &mut Vec<(String, String)>, fields: Fields, chance: &mut Chance) {
    for _ in 0..chance.below(3) {
        let name = other_key(fields, chance);
        let value = match chance.below(30) {
            24..28 => json_text(&hidden::text(fields, chance), chance),
            28 => hidden::object(fields, chance),
            0 => format!("{}0{}", "[".repeat(chance.below(160)), "]".repeat(chance.below(160))),
            1 => {
                let depth = 90 + chance.below(50);
                format!("{}0{}", "[".repeat(depth), "]".repeat(depth))
            }
            2 => "9".repeat(chance.below(400) + 1),
            3 => format!("0.{}", "1".repeat(chance.below(5000) + 1)),
            4..10 => chance.mostly(4, PHONES).to_owned(),
            _ => chance.mostly(17, OTHERS).to_owned(),
        };
        members.push((json_text(&name, chance), value));
    }
}

fn key(name: &str, chance: &mut Chance) -> String {
    let name = if chance.one_in(24) { bent(name, chance) } else { name.to_owned() };
    json_text(&name, chance)
}

fn object(members: &mut [(String, String)], chance: &mut Chance) -> String {
    let gap = |chance: &mut Chance| if chance.one_in(4) { chance.pick(&[" ", "\n", "\t ", "\r\n"]) } else { "" };
    shuffle(members, chance);
    let mut text = format!("{}{{", gap(chance));
    for (index, (key, value)) in members.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{}{key}{}:{}{value}{}", gap(chance), gap(chance), gap(chance), gap(chance)).unwrap();
    }
    write!(text, "}}{}", gap(chance)).unwrap();
    text
}

/// A JSON string, with some of it escaped that need not be.
fn json_text(text: &str, chance: &mut Chance) -> String {
    let escape = chance.one_in(3);
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '/' if escape => out.push_str("\\/"),
            c if c < ' ' || (escape && chance.one_in(3)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let digits = if chance.one_in(2) { format!("{unit:04x}") } else { format!("{unit:04X}") };
                    write!(out, "\\u{digits}").unwrap();
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

// === forms ===

pub(crate) fn form(fields: Fields, chance: &mut Chance) -> Vec<u8> {
    let mut pairs = Vec::new();
    let phone = chance.mostly(4, PHONES).trim_matches('"').to_owned();
    let token = chance.mostly(TOKENS.len() - 6, TOKENS).to_owned();
    for (name, value) in fields.names().into_iter().zip([token, phone]) {
        let name = if chance.one_in(24) { bent(name, chance) } else { name.to_owned() };
        pairs.push((name, value));
    }
    for _ in 0..chance.below(4) {
        let value = match chance.below(5) {
            0 | 1 => chance.pick(TOKENS).to_owned(),
            2 | 3 => chance.pick(PHONES).trim_matches('"').to_owned(),
            _ => hidden::text(fields, chance),
        };
        pairs.push((other_key(fields, chance), value));
    }
    shuffle(&mut pairs, chance);
    let mut out = Vec::new();
    if chance.one_in(100) {
        let many = 990 + chance.below(20);
        out.extend(chance.pick(&["&", "x&", "x=&", "x[]=1&"]).repeat(many).into_bytes());
    }
    for (index, (name, value)) in pairs.iter().enumerate() {
        let between: &[u8] = if chance.one_in(16) { chance.pick(&[b"&&", b";", b"&amp;", b"\n&", b""]) } else { b"&" };
        if index > 0 {
            out.extend(between);
        }
        form_text(name, &mut out, chance);
        if !chance.one_in(40) {
            out.push(b'=');
        }
        form_text(value, &mut out, chance);
    }
    out
}

/// Form encoding, sloppy in places: some escaped that need not be, some not that should.
fn form_text(text: &str, out: &mut Vec<u8>, chance: &mut Chance) {
    let (eager, lazy) = (chance.one_in(4), chance.one_in(4));
    for byte in text.bytes() {
        match byte {
            b' ' if chance.one_in(2) => out.push(b'+'),
            b'&' | b'+' | b'%' | b'#' | b' ' if !lazy => out.extend(escaped(byte, chance)),
            0x80.. | 0..b' ' | b';' | b'"' | b'<' | b'>' | b'{' | b'}' | b'\\' | 0x7f
                if !(lazy && chance.one_in(4)) =>
            {
                out.extend(escaped(byte, chance));
            }
            _ if eager && chance.one_in(3) => out.extend(escaped(byte, chance)),
            _ => out.push(byte),
        }
    }
}

fn escaped(byte: u8, chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(2) { format!("%{byte:02x}").into_bytes() } else { format!("%{byte:02X}").into_bytes() }
}
