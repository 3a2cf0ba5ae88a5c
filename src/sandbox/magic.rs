//! Reads magic proofs. The table is in the documentation of [`sandbox`](super).

use super::{fault::Fault, replies::RiskMeaning};
use crate::{check::Channel, phone::Phone};

/// A magic proof: its flags, and the meaning that the endpoint reads.
pub(super) struct Magic<'a> {
    /// Whether its first use spends it.
    pub(super) once: bool,
    /// The only channel that accepts it.
    pub(super) channel: Option<Channel>,
    /// The fault of the answer.
    pub(super) fault: Option<Fault>,
    /// The proof without flags and label: the answer that the endpoint returns.
    pub(super) meaning: &'a str,
}

/// The answer that a number or one-tap proof selects.
pub(super) struct NumberMeaning<'a> {
    pub(super) code: i64,
    /// Number: the only phone that passes. One-tap: the phone in the answer.
    pub(super) phone: Option<Phone>,
    /// `None` if the proof does not set it.
    pub(super) risk: Option<RiskMeaning<'a>>,
}

/// The answer that a captcha selects.
pub(super) struct CaptchaMeaning<'a> {
    pub(super) code: i64,
    pub(super) result: Option<&'a str>,
    /// `None`: a reply without `captchaArgs`.
    pub(super) args: Option<CaptchaArgsMeaning<'a>>,
}

/// The `captchaArgs` that a captcha selects.
pub(super) struct CaptchaArgsMeaning<'a> {
    pub(super) scene: &'a str,
    pub(super) used_type: &'a str,
    pub(super) user_ip: &'a str,
}

// === impl Magic ===

impl<'a> Magic<'a> {
    /// Reads prefix, flags and label; `None` if the text is not a magic proof.
    pub(super) fn read(proof: &'a str) -> Option<Self> {
        let rest = proof.strip_prefix("sandbox-")?;
        let rest = rest.split_once('#').map_or(rest, |(rest, _label)| rest);
        let mut magic = Self { once: false, channel: None, fault: None, meaning: rest };
        loop {
            if let Some(rest) = magic.meaning.strip_prefix("once-") {
                magic.once = true;
                magic.meaning = rest;
            } else if let Some(rest) = magic.meaning.strip_prefix("app-") {
                magic.channel = Some(Channel::App);
                magic.meaning = rest;
            } else if let Some(rest) = magic.meaning.strip_prefix("web-") {
                magic.channel = Some(Channel::Web);
                magic.meaning = rest;
            } else if let Some((fault, rest)) = Fault::read_flag(magic.meaning) {
                magic.fault = Some(fault);
                magic.meaning = rest;
            } else {
                return Some(magic);
            }
        }
    }
}

// === impl NumberMeaning ===

impl<'a> NumberMeaning<'a> {
    /// `for-<phone>[risk]` or `<code>[risk]`.
    pub(super) fn read(meaning: &'a str) -> Option<Self> {
        if let Some(rest) = meaning.strip_prefix("for-") {
            let (phone, rest) = leading_phone(rest)?;
            return Some(Self { code: 9000, phone: Some(phone), risk: risk(rest)? });
        }
        let (code, rest) = leading_integer(meaning)?;
        Some(Self { code, phone: None, risk: risk(rest)? })
    }

    /// `<code>[-<phone>][risk]`.
    pub(super) fn read_one_tap(meaning: &'a str) -> Option<Self> {
        let (code, rest) = leading_integer(meaning)?;
        let (phone, rest) = match rest.strip_prefix('-').and_then(leading_phone) {
            Some((phone, rest)) => (Some(phone), rest),
            None => (None, rest),
        };
        Some(Self { code, phone, risk: risk(rest)? })
    }
}

// === impl CaptchaMeaning ===

impl<'a> CaptchaMeaning<'a> {
    /// `pass[-type-<type>][-ip-<address>][-scene-<scene>]`, `pass-bare`, `fail`, `result-<text>` or `<code>`.
    pub(super) fn read(meaning: &'a str) -> Option<Self> {
        let solved = |result, args| Some(Self { code: 6000, result: Some(result), args });
        match meaning {
            "pass-bare" => solved("success", None),
            "fail" => solved("fail", Some(CaptchaArgsMeaning::USUAL)),
            _ => {
                if let Some(args) = meaning.strip_prefix("pass") {
                    return solved("success", Some(CaptchaArgsMeaning::read(args)?));
                }
                if let Some(result) = meaning.strip_prefix("result-") {
                    return solved(result, Some(CaptchaArgsMeaning::USUAL));
                }
                match leading_integer(meaning)? {
                    (code, "") => Some(Self { code, result: None, args: None }),
                    _ => None,
                }
            }
        }
    }
}

// === impl CaptchaArgsMeaning ===

impl<'a> CaptchaArgsMeaning<'a> {
    pub(super) const USUAL: Self = Self { scene: "", used_type: "slide", user_ip: "203.0.113.7" };

    fn read(text: &'a str) -> Option<Self> {
        let (mut args, mut rest) = (Self::USUAL, text);
        if let Some(after) = rest.strip_prefix("-type-") {
            (args.used_type, rest) = cut(after);
        }
        if let Some(after) = rest.strip_prefix("-ip-") {
            (args.user_ip, rest) = cut(after);
        }
        if let Some(scene) = rest.strip_prefix("-scene-") {
            (args.scene, rest) = (scene, "");
        }
        rest.is_empty().then_some(args)
    }
}

/// The text before the next hyphen, and the rest.
fn cut(text: &str) -> (&str, &str) {
    text.find('-').and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// The outer `None`: not readable. The inner `None`: not set.
#[expect(clippy::option_option)]
fn risk(text: &str) -> Option<Option<RiskMeaning<'_>>> {
    let said = match text {
        "" => return Some(None),
        "-risk-unknown" => RiskMeaning::Unknown,
        "-risk-absent" => RiskMeaning::Absent,
        _ => {
            if let Some(score) = text.strip_prefix("-score-") {
                RiskMeaning::TopLevel(score.parse().ok()?)
            } else {
                let (score, rest) = leading_integer(text.strip_prefix("-risk-")?)?;
                match (rest, rest.strip_prefix("-tags-")) {
                    ("", _) => RiskMeaning::Known { score, tags: Vec::new() },
                    (_, Some(tags)) => RiskMeaning::Known { score, tags: tags.split('-').collect() },
                    _ => return None,
                }
            }
        }
    };
    Some(Some(said))
}

fn leading_integer(text: &str) -> Option<(i64, &str)> {
    let sign = usize::from(text.starts_with('-'));
    let digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    let (integer, rest) = text.split_at_checked(sign + digits)?;
    Some((integer.parse().ok()?, rest))
}

fn leading_phone(text: &str) -> Option<(Phone, &str)> {
    let (phone, rest) = text.split_at_checked(11)?;
    Some((Phone::parse(phone)?, rest))
}
