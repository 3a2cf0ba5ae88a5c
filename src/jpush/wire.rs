//! The wire format of a reply, before its meaning is judged.
//!
//! Strict where a pass depends on it: one object, with exactly one integer `code`, and no name that is read occurs
//! twice. Lenient elsewhere, because the vendor's tables contradict each other about types: a value of an unexpected
//! type counts as absent. Texts are borrowed from the reply; only escaped ones are copied.

use std::borrow::Cow;

use crate::{
    json::{Malformed, Mode, Scanner},
    verdict::Risk,
};

/// The maximum number of risk tags that are kept (a policy can have actions for as many).
const TAGS: usize = 64;

/// The mode in which replies are scanned. It is private to this file, so that a client's body is never read in this mode.
enum Replies {}

/// Reads replies.
type Json<'a> = Scanner<'a, Replies>;

/// A reply of any endpoint. Unknown names are skipped.
#[derive(Default)]
pub(super) struct Reply<'a> {
    /// `None`: an integer beyond `i64`.
    pub(super) code: Option<i64>,
    pub(super) id: Option<Scalar<'a>>,
    pub(super) ex_id: Option<Scalar<'a>>,
    pub(super) result: Option<Scalar<'a>>,
    pub(super) phone: Option<Scalar<'a>>,
    pub(super) score: Option<Scalar<'a>>,
    pub(super) tags: Option<Tags>,
    pub(super) risk_check: Option<RiskCheck<'a>>,
    pub(super) captcha_args: Option<CaptchaArgs<'a>>,
}

/// `riskCheck`. All fields are absent if it is `null` or not an object.
#[derive(Default)]
pub(super) struct RiskCheck<'a> {
    pub(super) code: Option<Scalar<'a>>,
    pub(super) score: Option<Scalar<'a>>,
    pub(super) tags: Option<Tags>,
    /// Whether a name that is read occurs twice.
    pub(super) twice: bool,
}

/// `captchaArgs`. All fields are absent if it is not an object.
#[derive(Default)]
pub(super) struct CaptchaArgs<'a> {
    pub(super) scene: Option<Scalar<'a>>,
    pub(super) used_type: Option<Scalar<'a>>,
    pub(super) user_ip: Option<Scalar<'a>>,
    pub(super) lot_number: Option<Scalar<'a>>,
    /// Whether a name that is read occurs twice.
    pub(super) twice: bool,
}

/// The vendor's opaque tags, bounded; empty if they are not a list.
#[derive(Default)]
pub(super) struct Tags(pub(super) Vec<Box<str>>);

/// A text or an integer; anything else is `Other`, and so are fractions and integers beyond 64 bits.
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    Other,
}

/// A reply that is not read. The reason is not reported, because it could contain a part of the reply.
struct Refused;

// === impl Replies ===

impl Mode for Replies {
    const LENIENT: bool = true;
}

// === impl Reply ===

impl<'a> Reply<'a> {
    /// Reads a reply. `None` if it is not a JSON object with exactly one integer `code`, or has another of the names
    /// that are read twice.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut json = Json::of(std::str::from_utf8(bytes).ok()?);
        let mut reply = Self::default();
        let mut found = None;
        if !json.eat(b'{') {
            return None;
        }
        json.members(|json, name| {
            match name {
                "code" => once(&mut found, code(&Scalar::number(json)?)?)?,
                "id" => once(&mut reply.id, Scalar::read(json, 1)?)?,
                "exID" => once(&mut reply.ex_id, Scalar::read(json, 1)?)?,
                "result" => once(&mut reply.result, Scalar::read(json, 1)?)?,
                "phone" => once(&mut reply.phone, Scalar::read(json, 1)?)?,
                "score" => once(&mut reply.score, Scalar::read(json, 1)?)?,
                "tags" => once(&mut reply.tags, Tags::read(json, 1)?)?,
                "riskCheck" => once(&mut reply.risk_check, RiskCheck::read(json)?)?,
                "captchaArgs" => once(&mut reply.captcha_args, CaptchaArgs::read(json)?)?,
                _ => json.skip(1)?,
            }
            Ok::<_, Refused>(())
        })
        .ok()?;
        json.end().ok()?;
        reply.code = found?;
        Some(reply)
    }
}

/// Whether a reply is JSON: to report what was wrong with a reply that was not read.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut json = Json::of(text);
    json.skip(0).and_then(|()| json.end()).is_ok()
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Refused> {
    if slot.replace(value).is_some() { Err(Refused) } else { Ok(()) }
}

/// A JSON integer; `None` if it exceeds `i64`. An integer beyond `u64`, below `i64`, or `-0` is a fraction to most parsers, and
/// is refused.
fn code(code: &Scalar<'_>) -> Result<Option<i64>, Refused> {
    match code {
        Scalar::Unsigned(code) => Ok(i64::try_from(*code).ok()),
        Scalar::Signed(code) => Ok(Some(*code)),
        Scalar::Text(_) | Scalar::Other => Err(Refused),
    }
}

// === impl Refused ===

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self
    }
}

// === impl Scalar ===

impl<'a> Scalar<'a> {
    /// Reads any value, while `open` levels are open.
    fn read(json: &mut Json<'a>, open: u32) -> Result<Self, Malformed> {
        match json.next_byte() {
            _ if json.eat(b'"') => json.text().map(Self::Text),
            Some(b'-' | b'0'..=b'9') => Self::number(json),
            _ => json.skip(open).map(|()| Self::Other),
        }
    }

    /// Reads a number.
    fn number(json: &mut Json<'_>) -> Result<Self, Malformed> {
        json.next_byte();
        // Without the text of the number, which only unusual ones need.
        if let Some(integer) = json.unsigned() {
            return Ok(Self::Unsigned(integer));
        }
        let number = json.number()?;
        Ok(match number.unsigned() {
            Some(integer) => Self::Unsigned(integer),
            None => number.negative().map_or(Self::Other, Self::Signed),
        })
    }

    /// The value, if it is a text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unsigned(_) | Self::Signed(_) | Self::Other => None,
        }
    }

    /// Whether it is a JSON integer of this value; a numeric text is not.
    pub(super) fn is_integer(&self, value: u64) -> bool {
        matches!(self, Self::Unsigned(is) if *is == value)
    }

    /// An integer, or a text that is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Self::Text(text) => {
                text.parse::<i64>().map(Into::into).or_else(|_| text.parse::<u64>().map(Into::into)).ok()
            }
            Self::Unsigned(integer) => Some((*integer).into()),
            Self::Signed(integer) => Some((*integer).into()),
            Self::Other => None,
        }
    }
}

// === Values of inconsistent types: any other type is skipped and counts as absent ===

impl Tags {
    fn read(json: &mut Json<'_>, open: u32) -> Result<Self, Malformed> {
        let mut tags = Vec::new();
        if !json.eat(b'[') {
            json.skip(open)?;
            return Ok(Self(tags));
        }
        json.elements(|json| {
            let tag = Scalar::read(json, open + 1)?;
            if let Some(tag) = tag.text()
                && tags.len() < TAGS
                && (1..=Risk::TAG_BYTES).contains(&tag.len())
            {
                tags.push(tag.into());
            }
            Ok(())
        })?;
        Ok(Self(tags))
    }
}

impl<'a> RiskCheck<'a> {
    fn read(json: &mut Json<'a>) -> Result<Self, Malformed> {
        let mut check = Self::default();
        if !json.eat(b'{') {
            json.skip(1)?;
            return Ok(check);
        }
        json.members(|json, name| {
            check.twice |= match name {
                "code" => check.code.replace(Scalar::read(json, 2)?).is_some(),
                "score" => check.score.replace(Scalar::read(json, 2)?).is_some(),
                "tags" => check.tags.replace(Tags::read(json, 2)?).is_some(),
                _ => {
                    json.skip(2)?;
                    false
                }
            };
            Ok::<_, Malformed>(())
        })?;
        Ok(check)
    }
}

impl<'a> CaptchaArgs<'a> {
    fn read(json: &mut Json<'a>) -> Result<Self, Malformed> {
        let mut args = Self::default();
        if !json.eat(b'{') {
            json.skip(1)?;
            return Ok(args);
        }
        json.members(|json, name| {
            match name {
                "scene" => args.twice |= args.scene.replace(Scalar::read(json, 2)?).is_some(),
                "used_type" => args.twice |= args.used_type.replace(Scalar::read(json, 2)?).is_some(),
                "user_ip" => args.twice |= args.user_ip.replace(Scalar::read(json, 2)?).is_some(),
                "lot_number" => args.twice |= args.lot_number.replace(Scalar::read(json, 2)?).is_some(),
                _ => json.skip(2)?,
            }
            Ok::<_, Malformed>(())
        })?;
        Ok(args)
    }
}
