//! English or Chinese, according to the client's `Accept-Language`.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// The language of a denial's title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locale {
    #[default]
    English,
    Chinese,
}

// === impl Locale ===

impl Locale {
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
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            if weight > best.0 {
                best = (weight, locale);
            }
        }
        best.1
    }
}

/// A quality value in thousandths; 0 if it is invalid.
fn thousandths(q: &str) -> u32 {
    let (whole, part) = q.trim().split_once('.').unwrap_or((q.trim(), ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    let part = format!("{part:0<3}").parse::<u32>().unwrap_or(0);
    match whole {
        "1" => 1000,
        "0" => part,
        _ => 0,
    }
}
