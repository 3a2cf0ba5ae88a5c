//! A reply as bytes say it, before anybody judges what it means.
//!
//! Strict where a pass hangs on it: one object, `code` once and an integer, no name that we read twice. Lenient
//! elsewhere, for the vendor's own tables disagree about types: whatever has a shape of its own is read as absent.
//! Texts are borrowed from the reply; only escaped ones are copied.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// At most so many risk tags are kept, of at most so many bytes each (as many as the risk headers carry).
const TAGS: usize = 16;
const TAG_BYTES: usize = 64;

/// A reply of any endpoint. Names that we do not know are skipped.
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

/// `riskCheck`. All absent when it is no object, or `null`.
#[derive(Default)]
pub(super) struct RiskCheck<'a> {
    pub(super) code: Option<Scalar<'a>>,
    pub(super) score: Option<Scalar<'a>>,
    pub(super) tags: Option<Tags>,
    /// A name that we read came twice.
    pub(super) twice: bool,
}

/// `captchaArgs`. All absent when it is no object.
#[derive(Default)]
pub(super) struct CaptchaArgs<'a> {
    pub(super) scene: Option<Scalar<'a>>,
    /// `scene` came twice.
    pub(super) twice: bool,
}

/// The vendor's opaque tags, bounded; empty when they are no list.
#[derive(Default)]
pub(super) struct Tags(pub(super) Vec<Box<str>>);

/// A text or an integer; anything else is `Other`, and so are fractions and integers beyond 64 bits.
#[derive(Default)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Unsigned(u64),
    Signed(i64),
    #[default]
    Other,
}

// === impl Reply ===

impl<'a> Reply<'a> {
    /// Reads a reply; `None` when it is no JSON object with exactly one integer `code`, or has another of our names
    /// twice. Why not is not told: serde's words would repeat the vendor's.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Reply<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReplyVisitor(PhantomData))
    }
}

struct ReplyVisitor<'a>(PhantomData<Reply<'a>>);

impl<'de: 'a, 'a> Visitor<'de> for ReplyVisitor<'a> {
    type Value = Reply<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Reply<'a>, A::Error> {
        let mut reply = Reply::default();
        let mut code = None;
        while let Some(name) = object.next_key::<Name>()? {
            match name {
                Name::Code => once(&mut code, object.next_value::<Code>()?)?,
                Name::Id => once(&mut reply.id, object.next_value::<Any<_>>()?.0)?,
                Name::ExId => once(&mut reply.ex_id, object.next_value::<Any<_>>()?.0)?,
                Name::Result => once(&mut reply.result, object.next_value::<Any<_>>()?.0)?,
                Name::Phone => once(&mut reply.phone, object.next_value::<Any<_>>()?.0)?,
                Name::Score => once(&mut reply.score, object.next_value::<Any<_>>()?.0)?,
                Name::Tags => once(&mut reply.tags, object.next_value::<Any<_>>()?.0)?,
                Name::RiskCheck => once(&mut reply.risk_check, object.next_value::<Any<_>>()?.0)?,
                Name::CaptchaArgs => once(&mut reply.captcha_args, object.next_value::<Any<_>>()?.0)?,
                Name::Scene | Name::Other => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        let Some(Code(code)) = code else { return Err(de::Error::missing_field("code")) };
        reply.code = code;
        Ok(reply)
    }
}

fn once<T, E: de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(E::custom("a name comes twice")) } else { Ok(()) }
}

/// A name in a reply: one that we read, or another.
enum Name {
    Code,
    Id,
    ExId,
    Result,
    Phone,
    Score,
    Tags,
    RiskCheck,
    CaptchaArgs,
    Scene,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "code" => Name::Code,
                    "id" => Name::Id,
                    "exID" => Name::ExId,
                    "result" => Name::Result,
                    "phone" => Name::Phone,
                    "score" => Name::Score,
                    "tags" => Name::Tags,
                    "riskCheck" => Name::RiskCheck,
                    "captchaArgs" => Name::CaptchaArgs,
                    "scene" => Name::Scene,
                    _ => Name::Other,
                })
            }
        }

        deserializer.deserialize_identifier(NameVisitor)
    }
}

/// A JSON integer and nothing else; `None` beyond `i64`. Beyond `u64` it is a fraction to serde, and refused.
struct Code(Option<i64>);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;

        impl Visitor<'_> for CodeVisitor {
            type Value = Code;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_u64<E>(self, code: u64) -> Result<Code, E> {
                Ok(Code(i64::try_from(code).ok()))
            }

            fn visit_i64<E>(self, code: i64) -> Result<Code, E> {
                Ok(Code(Some(code)))
            }
        }

        deserializer.deserialize_i64(CodeVisitor)
    }
}

// === impl Scalar ===

impl Scalar<'_> {
    /// A text, and only a text.
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

// === Shapes that wobble ===

/// What a value of any shape is read as. Every shape that is not overridden is read over, as the default.
trait Lenient<'de>: Default {
    fn text(_: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn unsigned(_: u64) -> Self {
        Self::default()
    }

    fn signed(_: i64) -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads any value as a `T`.
struct Any<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PhantomData)).map(Self)
    }
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for AnyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, integer: i64) -> Result<T, E> {
        Ok(T::signed(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<T, E> {
        Ok(T::unsigned(integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    // With serde_json's `arbitrary_precision`, which any crate in the graph can turn on, fractions and integers beyond
    // 64 bits come this way, and are as absent as by `visit_f64`.
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
}

impl<'de: 'a, 'a> Lenient<'de> for Scalar<'a> {
    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn unsigned(integer: u64) -> Self {
        Self::Unsigned(integer)
    }

    fn signed(integer: i64) -> Self {
        Self::Signed(integer)
    }
}

impl<'de> Lenient<'de> for Tags {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut tags = Vec::new();
        while let Some(Any(tag)) = list.next_element::<Any<Scalar<'de>>>()? {
            if let Some(tag) = tag.text()
                && tags.len() < TAGS
                && (1..=TAG_BYTES).contains(&tag.len())
            {
                tags.push(tag.into());
            }
        }
        Ok(Self(tags))
    }
}

impl<'de: 'a, 'a> Lenient<'de> for RiskCheck<'a> {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut check = Self::default();
        while let Some(name) = object.next_key::<Name>()? {
            check.twice |= match name {
                Name::Code => check.code.replace(object.next_value::<Any<_>>()?.0).is_some(),
                Name::Score => check.score.replace(object.next_value::<Any<_>>()?.0).is_some(),
                Name::Tags => check.tags.replace(object.next_value::<Any<_>>()?.0).is_some(),
                _ => {
                    object.next_value::<IgnoredAny>()?;
                    false
                }
            };
        }
        Ok(check)
    }
}

impl<'de: 'a, 'a> Lenient<'de> for CaptchaArgs<'a> {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut args = Self::default();
        while let Some(name) = object.next_key::<Name>()? {
            match name {
                Name::Scene => args.twice |= args.scene.replace(object.next_value::<Any<_>>()?.0).is_some(),
                _ => _ = object.next_value::<IgnoredAny>()?,
            }
        }
        Ok(args)
    }
}
