//! The phone's name in other places of the request, and where the application may use it.
//!
//! ASP.NET's model binding and Struts read `model.phone` of a form or the query as the model's `phone`; Rails' parameter
//! wrapper takes the root's members from an inner object; ASP.NET MVC reads a JSON key `model.phone` as it reads a form's. So in front of a foreign backend the name of a phone field may
//! occur only in the field's place and in the places that [`Rule::other_phones`](crate::Rule::other_phones) lists. A
//! token's name elsewhere does not identify a person, and passes. In forms and queries the same applies to the names of a
//! phone's country code and of the field that [`Rule::when`](crate::Rule::when) reads: with `model.loginType` Struts would
//! run another login than the layer has checked.
//!
//! Protobuf has numbers instead of names: gRPC messages are not searched.

use super::{
    field::{segments, unescape},
    fold::{Names, alike},
    value::Unreadable,
};
use crate::{error::ConfigError, foreign_backend::Suspicion};

pub(super) const ELSEWHERE_IN_BODY: Unreadable = Unreadable::Suspicious(
    Suspicion::OtherPhone,
    "the name of the phone, of its country code or of what `when` reads, elsewhere in the body",
);
pub(super) const ELSEWHERE_IN_QUERY: Unreadable = Unreadable::Suspicious(
    Suspicion::OtherPhone,
    "the name of the phone, of its country code or of what `when` reads, elsewhere in the query",
);

/// Places where the application reads a phone for another purpose.
#[derive(Debug, Default)]
pub(super) struct OtherPhones(Vec<Vec<Segment>>);

#[derive(Debug)]
enum Segment {
    /// `*`: one name, or one index of an array.
    Any,
    Named(Box<str>),
}

/// The places that may lie below some part of a document, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    places: u64,
    /// The number of segments walked so far.
    depth: usize,
}

// === impl OtherPhones ===

impl OtherPhones {
    /// Parses the user's list. `guarded` has the segments of each place from which a phone is read.
    ///
    /// # Errors
    ///
    /// Names the setting `other_phones`: an entry that is empty, has an empty segment, or does not end in one of the names
    /// `phones`; an entry that is, or could be read as, a guarded place; more than 64 entries.
    pub(super) fn compile(
        entries: &[Box<str>],
        names: &Names,
        phones: u64,
        guarded: &[Vec<String>],
    ) -> Result<Self, ConfigError> {
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = parse(entry).and_then(|place| {
                let last = place.last().map(String::as_str).unwrap_or_default();
                if names.like_key(last) & phones == 0 {
                    return Err("an entry ends in the name of a field that holds the phone or its country code, or that `when` reads");
                }
                let is_guarded = |known: &Vec<String>| {
                    known.len() == place.len() && known.iter().zip(&place).all(|(one, other)| alike(one, other))
                };
                if guarded.iter().any(is_guarded) {
                    return Err("the phone that is verified, its country code or what `when` reads is read from this place");
                }
                Ok(place)
            });
            places.push(place.map_err(|problem| ConfigError::new("other_phones", entry.clone(), problem))?);
        }
        if places.len() > 64 {
            return Err(ConfigError::new("other_phones", places.len().to_string(), "more than 64 places"));
        }
        let segment = |text: String| if text == "*" { Segment::Any } else { Segment::Named(text.into()) };
        Ok(Self(places.into_iter().map(|place| place.into_iter().map(segment).collect()).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All places, at the root.
    pub(super) fn ahead(&self) -> Ahead {
        Ahead { places: u64::MAX.checked_shr(64 - u32::try_from(self.0.len()).unwrap_or(64)).unwrap_or(0), depth: 0 }
    }

    /// The places below a member of this name.
    #[inline]
    pub(super) fn behind(&self, ahead: Ahead, key: &str) -> Ahead {
        self.step(ahead, |name| name == key)
    }

    /// The places below an element of an array.
    #[inline]
    pub(super) fn behind_index(&self, ahead: Ahead, index: u32) -> Ahead {
        self.step(ahead, |name| *name == *index.to_string())
    }

    #[inline]
    fn step(&self, ahead: Ahead, is_named: impl Fn(&str) -> bool) -> Ahead {
        let depth = ahead.depth + 1;
        if ahead.places == 0 {
            return Ahead { places: 0, depth };
        }
        let leads = |place: &Vec<Segment>| match place.get(ahead.depth) {
            Some(Segment::Any) => true,
            Some(Segment::Named(name)) => is_named(name),
            None => false,
        };
        let bits = self.0.iter().enumerate().map(|(at, place)| u64::from(leads(place)) << at);
        Ahead { places: ahead.places & bits.fold(0, |all, bit| all | bit), depth }
    }

    /// Whether one of the places is exactly here.
    pub(super) fn are_here(&self, ahead: Ahead) -> bool {
        self.0.iter().enumerate().any(|(at, place)| ahead.places & 1 << at != 0 && place.len() == ahead.depth)
    }

    /// Whether a decoded key of a form or a query is one of the places. `address[phone]`, `address.phone` and
    /// `address:phone` are equal; a list index at the end is ignored.
    pub(super) fn contain(&self, key: &str) -> bool {
        self.are_at_path(self.ahead(), key)
    }

    /// Whether a key below a part of a document is one of the places: see [`OtherPhones::contain`].
    pub(super) fn are_at_path(&self, ahead: Ahead, key: &str) -> bool {
        let mut segments = segments(key);
        while segments.len() > 1 && segments.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            segments.pop();
        }
        self.are_here(segments.into_iter().fold(ahead, |ahead, segment| self.behind(ahead, segment)))
    }
}

/// Whether an entry ends in one of the names with these bits.
pub(super) fn ends_in(entry: &str, names: &Names, bits: u64) -> bool {
    parse(entry).is_ok_and(|place| place.last().is_some_and(|last| names.like_key(last) & bits != 0))
}

/// The non-empty segments of an entry: a JSON Pointer, or a form key.
fn parse(entry: &str) -> Result<Vec<String>, &'static str> {
    let segments: Vec<String> = match entry.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect::<Result<_, _>>()?,
        None => segments(entry).into_iter().map(str::to_owned).collect(),
    };
    if segments.iter().any(String::is_empty) {
        return Err("an empty segment");
    }
    Ok(segments)
}
