//! Whether a client prefers HTML, according to its `Accept` (RFC 9110, section 12.5.1).
//!
//! The published parsers of `Accept` choose one type of a list. Here a tie, a wildcard and a header that cannot be read must
//! all mean the problem document, so the qualities themselves are compared, and nothing is skipped that cannot be read.

use http::{HeaderMap, header::ACCEPT};

use super::quality::thousandths;

/// Whether the client ranks `text/html` strictly higher than problem documents and other JSON. `false` without the header, and
/// if any part of it cannot be read.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let mut ranges = Vec::new();
    for line in headers.get_all(ACCEPT) {
        let Some(of_line) = line.to_str().ok().and_then(ranges_of) else { return false };
        ranges.extend(of_line);
    }
    let html = quality(&ranges, "text", "html");
    html > quality(&ranges, "application", "problem+json").max(quality(&ranges, "application", "json"))
}

/// A media range, such as `text/html`, `text/*` or `*/*`.
struct Range<'h> {
    main: &'h str,
    sub: &'h str,
    /// Whether the range has a parameter that no answer has, such as `level=1`. It then matches no answer.
    is_narrower: bool,
    /// In thousandths.
    quality: u16,
}

/// The quality of a type: that of the most specific range that matches it, or 0.
fn quality(ranges: &[Range<'_>], main: &str, sub: &str) -> u16 {
    let specificity = |range: &Range<'_>| match (range.main, range.sub) {
        _ if range.is_narrower => None,
        ("*", "*") => Some(0),
        (of, "*") if of.eq_ignore_ascii_case(main) => Some(1),
        (of, which) if of.eq_ignore_ascii_case(main) && which.eq_ignore_ascii_case(sub) => Some(2),
        _ => None,
    };
    let matching = ranges.iter().filter_map(|range| Some((specificity(range)?, range.quality)));
    matching.max().map_or(0, |(_, quality)| quality)
}

/// The ranges of one line; `None` if a part of it cannot be read.
fn ranges_of(line: &str) -> Option<Vec<Range<'_>>> {
    let mut ranges = Vec::new();
    let mut rest = line;
    loop {
        rest = skip_white(rest);
        // Empty elements of a list are legal.
        if !rest.is_empty() && !rest.starts_with(',') {
            let (range, after) = range(rest)?;
            ranges.push(range);
            rest = skip_white(after);
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.is_empty().then_some(ranges),
        }
    }
}

/// One range with its parameters, and what follows.
fn range(text: &str) -> Option<(Range<'_>, &str)> {
    let (main, rest) = token(text)?;
    let (sub, mut rest) = token(rest.strip_prefix('/')?)?;
    if main == "*" && sub != "*" {
        return None;
    }
    let (mut is_narrower, mut quality) = (false, None);
    while let Some(parameter) = skip_white(rest).strip_prefix(';') {
        let parameter = skip_white(parameter);
        // An empty parameter is legal.
        if parameter.is_empty() || parameter.starts_with([';', ',']) {
            rest = parameter;
            continue;
        }
        let (name, after) = token(parameter)?;
        let (value, after) = value(after.strip_prefix('=')?)?;
        rest = after;
        if name.eq_ignore_ascii_case("q") {
            // A repeated `q` is ambiguous.
            if quality.replace(thousandths(value)?).is_some() {
                return None;
            }
        } else if quality.is_none() {
            is_narrower |= !(name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8"));
        }
    }
    Some((Range { main, sub, is_narrower, quality: quality.unwrap_or(1000) }, rest))
}

/// The value of a parameter, without its quotes, and what follows.
fn value(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else { return token(text) };
    let mut is_escaped = false;
    let end = quoted.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((quoted.get(..end)?, quoted.get(end + 1..)?))
}

/// A token, which is not empty, and what follows.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_of_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn skip_white(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}
