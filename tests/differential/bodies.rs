//! Bodies, made from good ones by everything that is known to set parsers apart, and by chance.

use std::fmt::Write as _;

use crate::words::{BENDS, BYTES, KEYS, OTHERS, PHONES, TOKENS};

/// A media type. One more is one more arm here, in `layer.rs` and in each peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Json,
    Form,
}

/// Where token and phone sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fields {
    Default,
    /// Names with an underscore, into which PHP turns other names.
    Underscores,
    /// In an object of their own. JSON only.
    Nested,
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) kind: Kind,
    pub(crate) fields: Fields,
    pub(crate) bytes: Vec<u8>,
}

/// `SplitMix64`: the same bodies from the same seed, everywhere.
pub(crate) struct Chance(pub(crate) u64);

// === impl Body ===

impl Body {
    /// The next body by chance: about every third one is in order.
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let kind = chance.pick(&[Kind::Json, Kind::Form]);
        let fields = match kind {
            Kind::Json => chance.pick(&[Fields::Default, Fields::Default, Fields::Underscores, Fields::Nested]),
            Kind::Form => chance.pick(&[Fields::Default, Fields::Default, Fields::Underscores]),
        };
        let mut bytes = match kind {
            Kind::Json => json(fields, chance).into_bytes(),
            Kind::Form => form(fields, chance),
        };
        if chance.one_in(4) {
            for _ in 0..=chance.below(3) {
                mutate(&mut bytes, chance);
            }
        }
        Self { kind, fields, bytes }
    }

    /// The smallest body found by leaving things out of which `still` holds.
    pub(crate) fn reduced(mut self, mut still: impl FnMut(&Self) -> bool) -> Self {
        let mut length = self.bytes.len().next_power_of_two();
        while length > 0 {
            let mut at = 0;
            while at < self.bytes.len() {
                let mut less = self.clone();
                less.bytes.drain(at..self.bytes.len().min(at + length));
                if still(&less) { self = less } else { at += length }
            }
            length /= 2;
        }
        self
    }
}

// === impl Fields ===

impl Fields {
    /// The way to token and phone, joined by `/`.
    pub(crate) fn paths(self) -> [&'static str; 2] {
        match self {
            Self::Default => ["token", "phone"],
            Self::Underscores => ["login_token", "phone_number"],
            Self::Nested => ["auth/token", "auth/phone"],
        }
    }

    fn names(self) -> [&'static str; 2] {
        self.paths().map(|path| path.rsplit('/').next().unwrap())
    }
}

// === impl Kind ===

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Form => "form",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

// === impl Chance ===

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// One of the first few, mostly.
    fn mostly<T: Clone>(&mut self, good: usize, from: &[T]) -> T {
        if self.one_in(8) { self.pick(from) } else { self.pick(&from[..good]) }
    }
}

// === the parts ===

/// A guarded name as it is, or (seldom) bent.
fn bent(name: &str, chance: &mut Chance) -> String {
    let mut name = name.to_owned();
    if chance.one_in(3) {
        name = match chance.below(6) {
            0 => name.to_uppercase(),
            1 => format!("{}{}", name[..1].to_uppercase(), &name[1..]),
            2 => name.replace('k', "\u{212a}").replace('s', "\u{17f}"),
            3 => name.replace('_', chance.pick(&[".", " ", "[", "-", ""])),
            4 => {
                name.insert_str(chance.below(name.len()), chance.pick(&["_", "-", ".", "\0", "\u{ad}", "[", "]", " "]));
                name
            }
            _ => name,
        };
    }
    chance.pick(BENDS).replace('@', &name)
}

/// What stands beside the proof: nobody's keys, mostly, and seldom a bent one.
fn other_key(fields: Fields, chance: &mut Chance) -> String {
    if chance.one_in(4) {
        let name = chance.pick(&fields.names());
        return bent(name, chance);
    }
    chance.pick(KEYS).to_owned()
}

fn shuffle<T>(all: &mut [T], chance: &mut Chance) {
    for index in (1..all.len()).rev() {
        all.swap(index, chance.below(index + 1));
    }
}

fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let end = (at + 1 + chance.below(8)).min(bytes.len());
    match chance.below(6) {
        0 => bytes.insert(at, chance.pick(BYTES)),
        1 => _ = bytes.drain(at..end),
        2 => {
            let copy = bytes[at..end].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        3 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = chance.pick(BYTES);
            }
        }
        4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        _ => {
            let to = if chance.one_in(2) { 0 } else { bytes.len() };
            let edge: &[u8] =
                chance.pick(&[b"\xef\xbb\xbf", b"?", b"&", b"\0", b" ", b"{}", b"[", b"\x0c", b"#", b"\n"]);
            bytes.splice(to..to, edge.iter().copied());
        }
    }
}

// === JSON ===

fn json(fields: Fields, chance: &mut Chance) -> String {
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
        let value = match chance.below(24) {
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

fn form(fields: Fields, chance: &mut Chance) -> Vec<u8> {
    let mut pairs = Vec::new();
    let phone = chance.mostly(4, PHONES).trim_matches('"').to_owned();
    let token = chance.mostly(TOKENS.len() - 6, TOKENS).to_owned();
    for (name, value) in fields.names().into_iter().zip([token, phone]) {
        let name = if chance.one_in(24) { bent(name, chance) } else { name.to_owned() };
        pairs.push((name, value));
    }
    for _ in 0..chance.below(4) {
        let value = if chance.one_in(2) { chance.pick(TOKENS) } else { chance.pick(PHONES).trim_matches('"') };
        pairs.push((other_key(fields, chance), value.to_owned()));
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
            0x80.. | 0..b' ' | b';' if !(lazy && chance.one_in(4)) => out.extend(escaped(byte, chance)),
            _ if eager && chance.one_in(3) => out.extend(escaped(byte, chance)),
            _ => out.push(byte),
        }
    }
}

fn escaped(byte: u8, chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(2) { format!("%{byte:02x}").into_bytes() } else { format!("%{byte:02X}").into_bytes() }
}
