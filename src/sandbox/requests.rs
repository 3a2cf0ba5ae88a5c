//! The wire format of the vendor's requests, read according to its documents and not to our client.

use std::borrow::Cow;

use serde::Deserialize;

use super::{ledger::PhoneForm, magic::Magic};

/// A request's body. Every endpoint reads its own fields and ignores the others.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked<'a> {
    #[serde(borrow)]
    pub(super) token: Cow<'a, str>,
    pub(super) phone: Option<TextOrNumber>,
    #[serde(borrow, rename = "captchaContent")]
    pub(super) captcha_content: Cow<'a, str>,
    #[serde(borrow, rename = "loginToken")]
    pub(super) login_token: Cow<'a, str>,
    ip: Option<Box<str>>,
    #[serde(rename = "exID")]
    ex_id: Option<TextOrNumber>,
}

/// The vendor's tables and examples disagree on the type.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrNumber {
    Text(Box<str>),
    Number(u64),
}

// === impl Asked ===

impl<'a> Asked<'a> {
    /// Reads only a JSON object: derived structs would also accept an array.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok())?
    }

    /// Whether the proof works once.
    pub(super) fn is_once(&self) -> bool {
        [&self.token, &self.captcha_content, &self.login_token]
            .iter()
            .any(|proof| Magic::read(proof).is_some_and(|magic| magic.once))
    }

    /// The JSON type of the phone.
    pub(super) fn phone_form(&self) -> PhoneForm {
        match self.phone {
            None => PhoneForm::Absent,
            Some(TextOrNumber::Text(_)) => PhoneForm::Text,
            Some(TextOrNumber::Number(_)) => PhoneForm::Number,
        }
    }

    /// The `ip` that was sent.
    pub(super) fn ip(&self) -> Option<Box<str>> {
        self.ip.clone()
    }

    /// The `exID` that was sent, or empty: the reply echoes it in this form.
    pub(super) fn ex_id(&self) -> Cow<'_, str> {
        self.ex_id.as_ref().map(TextOrNumber::text).unwrap_or_default()
    }
}

impl TextOrNumber {
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}
