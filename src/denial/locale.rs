//! English or Chinese, according to the client's `Accept-Language`.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

use super::quality::thousandths;

/// The language of a denial's title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locale {
    #[default]
    English,
    Chinese,
}

// === impl Locale ===

impl Locale {
    /// Both languages, for what is checked in each.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The language as HTML and `Content-Language` name it.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The preferred language; English if the header names neither or cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0, Self::English);
        for range in ranges.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';');
            // Java's `Locale.toString` writes `zh_CN`, and some clients send it.
            let primary = parts.next().unwrap_or_default().trim().split(['-', '_']).next().unwrap_or_default();
            let locale = match primary {
                zh if zh.eq_ignore_ascii_case("zh") => Self::Chinese,
                en if en.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(1000, |q| thousandths(q.trim()).unwrap_or(0));
            if weight > best.0 {
                best = (weight, locale);
            }
        }
        best.1
    }
}
