//! The bytes of a body that the application receives, and the head that describes them.
//!
//! The layer passes on what it has read: unchanged, decoded, or in canonical form. If the bytes are not the client's, the
//! head must be changed too: a wrong length or digest is at best an error, and at worst a second framing.

use std::ops::Range;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRAILER, TRANSFER_ENCODING},
    request::Parts,
};

use super::{Reading, settings::Settings};
use crate::{
    body::{Coding, HandOn, Share, Whole},
    denial::{DenialReason, Refusal},
    headers,
    phone::Phone,
    proof::{self, Media, Plan},
};

/// What the application receives of a completely read body.
#[derive(Default)]
pub(crate) enum HandedOn {
    /// The client's bytes, except for a pinned phone.
    #[default]
    AsItCame,
    /// The client's bytes, decoded.
    Decoded,
    /// The canonical form of a body of this type.
    Canonical(Media),
}

/// A decoded body for reading, if the application receives the encoded bytes. Holds its share of the budget.
pub(super) struct Aside {
    pub(super) data: Vec<u8>,
    _share: Share,
}

/// Headers that describe only the encoded or original bytes.
const DESCRIPTIONS: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

// === impl Reading ===

impl Reading {
    /// Decodes a body. If the decoded bytes are passed on, replaces the original bytes.
    ///
    /// # Errors
    ///
    /// The body does not match its coding, is too large when decoded, or does not fit into the budget.
    pub(super) fn decode(
        &self,
        whole: &mut Whole,
        coding: Option<Coding>,
    ) -> Result<(HandedOn, Option<Aside>), Refusal> {
        let Settings { limits, decode, .. } = &self.settings;
        let mut handed_on = HandedOn::AsItCame;
        let mut aside = None;
        if let Some(coding) = coding {
            let data = coding.decode(&whole.data, limits.bytes)?;
            match decode.hand_on {
                HandOn::Decoded => {
                    whole.replace(data, &limits.budget, self.keeps_original)?;
                    handed_on = HandedOn::Decoded;
                }
                HandOn::EncodedUnprotected => {
                    if coding.has_unread_fields(&whole.data) {
                        let refusal = Refusal::new(DenialReason::BodyMalformed);
                        return Err(refusal.with_detail("a gzip header with optional fields"));
                    }
                    let share = limits.budget.share(data.len())?;
                    aside = Some(Aside { data, _share: share });
                }
            }
        }
        Ok((handed_on, aside))
    }

    /// Replaces a body by its canonical form, if that is passed on, before it is read, so that the application receives
    /// what is verified. `media` is `None` if a closure reads the body.
    ///
    /// # Errors
    ///
    /// The body does not match its media type, has invalid fields, has a name twice in one JSON object, or does not
    /// fit into the budget.
    pub(super) fn write(
        &self,
        plan: &Plan,
        whole: &mut Whole,
        media: Option<&Media>,
        headers: &HeaderMap,
    ) -> Result<Option<HandedOn>, Refusal> {
        let Some(media) = media.filter(|_| self.settings.canonical_body) else { return Ok(None) };
        let Some(write) = proof::canonical(media) else { return Ok(None) };
        // Refuses everything that is invalid in the original, even if the canonical form is valid.
        plan.read_body(media, headers, &whole.data, &mut plan.values())?;
        let written = write(&whole.data)?;
        whole.replace(written, &self.settings.limits.budget, self.keeps_original)?;
        Ok(Some(HandedOn::Canonical(media.clone())))
    }
}

// === impl HandedOn ===

impl HandedOn {
    /// Searches for a form in the bytes that are passed on and in their decoded form, unless the body is a form. The
    /// canonical form cannot hide one.
    ///
    /// # Errors
    ///
    /// A form reader finds a guarded name: see [`proof::hidden_form`].
    pub(super) fn search(
        &self,
        whole: &Whole,
        aside: Option<&Aside>,
        plan: &Plan,
        is_form: bool,
    ) -> Result<(), Refusal> {
        if matches!(self, Self::Canonical(_)) {
            return Ok(());
        }
        let encoded = aside.map(|_| &*whole.data);
        let decoded = (!is_form).then(|| aside.map_or(&*whole.data, |aside| &aside.data));
        for text in encoded.into_iter().chain(decoded) {
            proof::hidden_form(plan, text)?;
        }
        Ok(())
    }

    /// Replaces the body's phone by the proven phone, with the same type, and makes the head describe the bytes that are
    /// passed on.
    pub(crate) fn finish(&self, whole: &mut Whole, pinned: Option<(Phone, &[Range<usize>])>, parts: &mut Parts) {
        let is_other = pinned.is_some_and(|(phone, places)| {
            whole.rewrite(places, |old| match old.first() {
                Some(b'"') => format!("\"{}\"", phone.as_str()).into_bytes(),
                _ => phone.as_str().into(),
            })
        });
        let head = &mut parts.headers;
        match self {
            Self::AsItCame => {
                if is_other && head.contains_key(CONTENT_LENGTH) {
                    head.insert(CONTENT_LENGTH, HeaderValue::from(whole.data.len()));
                }
                return;
            }
            Self::Decoded => {}
            Self::Canonical(media) => {
                if let Some(media_type) = canonical_type(media, head) {
                    head.insert(CONTENT_TYPE, media_type);
                }
            }
        }
        if let Some(trailers) = &mut whole.trailers {
            headers::remove(trailers, &DESCRIPTIONS);
        }
        whole.trailers.take_if(|trailers| trailers.is_empty());
        // Trailers over HTTP/1.1 need chunks, which exclude a length.
        if whole.trailers.is_some() && head.contains_key(TRANSFER_ENCODING) {
            headers::remove(head, &DESCRIPTIONS);
            return;
        }
        let mut framing = DESCRIPTIONS.to_vec();
        framing.push(TRANSFER_ENCODING);
        if whole.trailers.is_none() {
            framing.push(TRAILER);
        }
        headers::remove(head, &framing);
        head.insert(CONTENT_LENGTH, HeaderValue::from(whole.data.len()));
    }
}

/// The `Content-Type` of the canonical form; the user's spelling for a type that the user named.
fn canonical_type(media: &Media, headers: &HeaderMap) -> Option<HeaderValue> {
    match media {
        Media::Json => Some(HeaderValue::from_static("application/json")),
        Media::Form => Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
        Media::JsonTypes(types) => {
            types.named(headers.get(CONTENT_TYPE)?.to_str().ok()?).and_then(|text| text.parse().ok())
        }
        Media::Grpc | Media::Multipart => None,
    }
}
