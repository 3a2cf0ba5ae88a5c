//! The strict grammar of media types and their parameters, without variants that readers parse differently.

/// Whether a charset's name is a spelling of UTF-8.
pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// A parameter's name and value. `None` if the text is not exactly one parameter.
pub(super) fn parameter(text: &str) -> Option<(&str, &str)> {
    let (name, value) = trim(text).split_once('=')?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|inside| inside.chars().all(is_plain_quoted))?,
        None => Some(value).filter(|value| is_token(value))?,
    };
    is_token(name).then_some((name, value))
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A token of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether the character may occur in quoted text: no escapes, and nothing at which a careless parser splits. (The text is
/// already split at `;`.)
fn is_plain_quoted(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | ',')
}

/// The boundary, if a `Content-Type` names exactly one of letters, digits and `-_.=+`, and has no other parameter except
/// `charset=utf-8`. (PHP uses the first `boundary` that it finds, in any parameter.) It must have a letter or digit: the
/// boundary `-` produces lines of `---`, between which YAML readers find documents.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (_, parameters) = content_type.split_once(';')?;
    let (mut boundary, mut charset) = (None, None);
    for text in parameters.split(';') {
        let (name, value) = parameter(text)?;
        let known = if name.eq_ignore_ascii_case("boundary") {
            boundary.replace(value)
        } else if name.eq_ignore_ascii_case("charset") && is_utf8(value) {
            charset.replace(value)
        } else {
            return None;
        };
        if known.is_some() {
            return None;
        }
    }
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+".contains(&byte));
    let is_marked = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphanumeric());
    boundary.filter(|text| text.len() <= 70 && is_plain(text) && is_marked(text))
}
