//! Converts the bytes of a reply into a verdict, or into the reason why they cannot be trusted.

use std::borrow::Cow;

use http::StatusCode;

use super::{
    codes::{class_of, is_of_other_app},
    errors::BadReply,
    one_tap::{self, OneTapKey},
    wire::{CaptchaArgs, Reply, Scalar, Tags},
};
use crate::{
    check::Check,
    check_kind::CheckKind,
    ex_id::ExId,
    opaque::Opaque,
    phone::Phone,
    verdict::{Class, Risk, Verdict},
};

/// The result of a reply.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// It repeats the check's `exID`.
    pub(super) repeats_ex_id: bool,
}

/// Judges the reply to a check. The body decides, whatever the status is: this host's statuses are not documented.
///
/// # Errors
///
/// If the reply is unreadable, belongs to another check, is a pass without a 2xx status, or is a 5xx without a known
/// code.
pub(super) fn judge(
    check: &Check,
    status: StatusCode,
    body: &[u8],
    key: Option<&OneTapKey>,
) -> Result<Judged, BadReply> {
    let unreadable = if status.is_server_error() { BadReply::ServerError } else { BadReply::Unreadable };
    // Some gateways add a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let reply = Reply::parse(body).ok_or(unreadable)?;
    let repeats_ex_id = repeats(check.ex_id(), reply.ex_id.as_ref())?;
    let kind = check.kind();
    let (class, phone) = class_and_phone(kind, &reply, key);
    match class {
        Class::Passed if !status.is_success() => return Err(BadReply::PassWithoutSuccess),
        Class::Unknown if status.is_server_error() => return Err(BadReply::ServerError),
        _ => {}
    }

    let mut verdict = Verdict::new(kind, class);
    let id = reply.id.as_ref().and_then(Scalar::integer).and_then(|id| u64::try_from(id).ok());
    verdict.says(
        reply.code.map(Opaque::integer),
        id.map(Opaque::integer),
        risk_of(kind, &reply),
        reply.code.is_some_and(is_of_other_app),
    );
    if let Some(phone) = phone {
        verdict = verdict.with_phone(phone);
    } else if kind == CheckKind::OneTap && reply.code.is_some_and(|code| class_of(kind, code).is_pass()) {
        verdict = if sealed(&reply).is_some() { one_tap::unopened(verdict) } else { one_tap::phoneless(verdict) };
    }
    if let Some(args) = reply.captcha_args.as_ref().filter(|args| !args.twice) {
        verdict = with_captcha_args(verdict, args);
    }
    Ok(Judged { verdict, repeats_ex_id })
}

/// A value that is not a text, or not an address, counts as absent.
fn with_captcha_args(mut verdict: Verdict, args: &CaptchaArgs<'_>) -> Verdict {
    fn text<'s>(scalar: Option<&'s Scalar<'_>>) -> Option<&'s str> {
        scalar.and_then(Scalar::text)
    }
    if let Some(scene) = text(args.scene.as_ref()) {
        verdict = verdict.with_scene(scene);
    }
    if let Some(used_type) = text(args.used_type.as_ref()) {
        verdict = verdict.with_used_type(used_type);
    }
    // In the standard library's spelling: without port, brackets, zone and leading zeros.
    if let Some(user_ip) = text(args.user_ip.as_ref()).and_then(|address| address.parse().ok()) {
        verdict = verdict.with_user_ip(user_ip);
    }
    match text(args.lot_number.as_ref()).filter(|lot_number| !lot_number.is_empty()) {
        Some(lot_number) => verdict.with_lot_number(lot_number),
        None => verdict,
    }
}

fn class_and_phone(kind: CheckKind, reply: &Reply<'_>, key: Option<&OneTapKey>) -> (Class, Option<Phone>) {
    let class = reply.code.map_or(Class::Unknown, |code| class_of(kind, code));
    match (kind, class) {
        // 6000 says that the call worked. `result` says whether a person solved the captcha (reference, actionCheck).
        (CheckKind::Captcha, Class::Passed) => {
            let solved = reply.result.as_ref().and_then(Scalar::text) == Some("success");
            (if solved { class } else { Class::Rejected }, None)
        }
        // A pass whose phone cannot be read proves nothing: the console has another key.
        (CheckKind::OneTap, Class::Passed) => match key.zip(sealed(reply)).and_then(|(key, sealed)| key.open(sealed)) {
            Some(phone) => (class, Some(phone)),
            None => (Class::Misconfigured, None),
        },
        _ => (class, None),
    }
}

/// The encrypted phone.
fn sealed<'r>(reply: &'r Reply<'_>) -> Option<&'r str> {
    reply.phone.as_ref().and_then(Scalar::text).filter(|sealed| !sealed.is_empty())
}

/// Whether a reply repeats our `exID`. An absent or empty `exID` is not a repetition and not a mismatch either: the
/// example in the captcha document has an empty one.
///
/// # Errors
///
/// If the reply has the `exID` of another check.
fn repeats(ours: Option<&ExId>, theirs: Option<&Scalar<'_>>) -> Result<bool, BadReply> {
    let theirs = match theirs {
        Some(Scalar::Text(theirs)) => Cow::Borrowed(theirs.as_ref()),
        Some(Scalar::Unsigned(theirs)) => Cow::Owned(theirs.to_string()),
        Some(Scalar::Signed(theirs)) => Cow::Owned(theirs.to_string()),
        Some(Scalar::Other) | None => return Ok(false),
    };
    match ours {
        _ if theirs.is_empty() => Ok(false),
        Some(ours) if ours.as_str() == theirs => Ok(true),
        Some(_) | None => Err(BadReply::OtherCheck),
    }
}

fn risk_of(kind: CheckKind, reply: &Reply<'_>) -> Risk {
    match (kind, &reply.risk_check) {
        (CheckKind::Captcha, _) => Risk::NotAsked,
        (CheckKind::Risk, _) if reply.code == Some(0) => risk(reply.score.as_ref(), reply.tags.as_ref()),
        (CheckKind::Risk, _) => Risk::Unknown,
        // `"riskCheck": null` is read as a failed query, not as absent: the top-level score next to it is then likely
        // a default, and 0 would mean "low".
        (_, Some(check)) => {
            let fine = !check.twice && check.code.as_ref().is_some_and(|code| code.is_integer(0));
            if fine { risk(check.score.as_ref(), check.tags.as_ref()) } else { Risk::Unknown }
        }
        // Deprecated (reference, number authentication), so it is used only if the new field is absent.
        (CheckKind::OneTap, None) if reply.score.is_none() => Risk::NotAsked,
        (_, None) => risk(reply.score.as_ref(), reply.tags.as_ref()),
    }
}

fn risk(score: Option<&Scalar<'_>>, tags: Option<&Tags>) -> Risk {
    match score.and_then(Scalar::integer).and_then(|score| i64::try_from(score).ok()) {
        Some(score) => Risk::from_score(score, tags.map(|Tags(tags)| tags.clone()).unwrap_or_default()),
        None => Risk::Unknown,
    }
}

#[cfg(test)]
mod tests;
