//! Bodies, made from valid ones with the known differences between parsers, and at random.

use crate::{
    hidden,
    parts::{grpc, multipart},
    texts::{form, json},
    words::{BENDS, BYTES, FORM_TYPES, GRPC_TYPES, JSON_TYPES, KEYS, MULTIPART_TYPES},
};

/// A media type. One more is one more arm here, in `layer.rs` and in each peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Json,
    Form,
    Multipart,
    Grpc,
}

/// Where token and phone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fields {
    Default,
    /// Names with an underscore, into which PHP turns other names.
    Underscores,
    /// In a nested object. JSON only.
    Nested,
    /// The fields of a gRPC message, by name. gRPC and JSON.
    Message,
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// What the body was made as; its type may say something else.
    pub(crate) kind: Kind,
    pub(crate) fields: Fields,
    /// The values of all `Content-Type` headers.
    pub(crate) content_types: Vec<String>,
    /// Sent with gzip; what is below is what it holds.
    pub(crate) gzip: bool,
    pub(crate) bytes: Vec<u8>,
}

/// `SplitMix64`: the same bodies from the same seed, everywhere.
pub(crate) struct Chance(pub(crate) u64);

// === impl Body ===

impl Body {
    /// The next body by chance: about every third one is valid.
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let kind = chance.pick(&[Kind::Json, Kind::Json, Kind::Form, Kind::Form, Kind::Multipart, Kind::Grpc]);
        let fields = match kind {
            Kind::Json => {
                chance.pick(&[Fields::Default, Fields::Default, Fields::Underscores, Fields::Nested, Fields::Message])
            }
            Kind::Form | Kind::Multipart => chance.pick(&[Fields::Default, Fields::Default, Fields::Underscores]),
            Kind::Grpc => Fields::Message,
        };
        let mut bytes = match kind {
            _ if chance.one_in(12) => hidden::polyglot(fields, chance),
            Kind::Json => json(fields, chance).into_bytes(),
            Kind::Form => form(fields, chance),
            Kind::Multipart => multipart(fields, chance),
            Kind::Grpc => grpc(fields, chance),
        };
        if chance.one_in(4) {
            for _ in 0..=chance.below(3) {
                mutate(&mut bytes, chance);
            }
        }
        let gzip = kind != Kind::Grpc && chance.one_in(10);
        Self { kind, fields, content_types: kind.content_types(chance), gzip, bytes }
    }

    /// A body with the plain type of its kind.
    pub(crate) fn plain(kind: Kind, fields: Fields, bytes: &[u8]) -> Self {
        Self { kind, fields, content_types: vec![kind.types()[0].to_owned()], gzip: false, bytes: bytes.to_vec() }
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
            Self::Default | Self::Message => ["token", "phone"],
            Self::Underscores => ["login_token", "phone_number"],
            Self::Nested => ["auth/token", "auth/phone"],
        }
    }

    pub(crate) fn names(self) -> [&'static str; 2] {
        self.paths().map(|path| path.rsplit('/').next().unwrap())
    }
}

// === impl Kind ===

impl Kind {
    /// How its type is written; the first one is the plain one.
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Json => JSON_TYPES,
            Self::Form => FORM_TYPES,
            Self::Multipart => MULTIPART_TYPES,
            Self::Grpc => GRPC_TYPES,
        }
    }

    /// Mostly the plain type, seldom another spelling, another kind's, two or none.
    fn content_types(self, chance: &mut Chance) -> Vec<String> {
        const ALL: [Kind; 4] = [Kind::Json, Kind::Form, Kind::Multipart, Kind::Grpc];
        let mut one = |kind: Self| chance.mostly(1, kind.types()).to_owned();
        let first = one(self);
        let second = one(self);
        match chance.below(24) {
            0..3 => vec![chance.pick(self.types()).to_owned()],
            3 | 4 => {
                let other = chance.pick(&ALL);
                vec![chance.pick(other.types()).to_owned()]
            }
            5 => vec![first, second],
            6 if chance.one_in(4) => Vec::new(),
            _ => vec![first],
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

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// One of the first few, mostly.
    pub(crate) fn mostly<T: Clone>(&mut self, good: usize, from: &[T]) -> T {
        if self.one_in(8) { self.pick(from) } else { self.pick(&from[..good]) }
    }
}

// === the parts ===

/// A guarded name as it is, or (seldom) bent.
pub(crate) fn bent(name: &str, chance: &mut Chance) -> String {
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

/// A key alongside the proof: mostly of another field, seldom a bent guarded name.
pub(crate) fn other_key(fields: Fields, chance: &mut Chance) -> String {
    if chance.one_in(4) {
        let name = chance.pick(&fields.names());
        return bent(name, chance);
    }
    chance.pick(KEYS).to_owned()
}

pub(crate) fn shuffle<T>(all: &mut [T], chance: &mut Chance) {
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
