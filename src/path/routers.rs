//! Refuses patterns in the syntax of other routers.
//!
//! `/a/:id/login` is a pattern in Express, Rails and axum 0.7, and literal text in this crate: a rule with it would guard a path
//! that no client requests, and the login would not be guarded. So a segment that another router reads as a pattern is refused, and
//! the error shows the spelling for this crate. A backslash before one of [`SPECIAL`] makes it literal.
//!
//! | segment | read as a parameter or an expression by |
//! |---|---|
//! | `:id`, `:id?`, `:id(\d+)`, `*rest` | Express, Rails, axum 0.7, gin, Sinatra, Koa, path-to-regexp |
//! | `*`, `**` | Spring, Fastify, globs |
//! | `<id>`, `<int:id>`, `<id..>`, `<**rest>` | Flask, Django, Rocket, salvo |
//! | `{id:\d+}`, `{id?}`, `{id:int}`, `{id...}`, `{$}`, `{**rest}` | actix, ASP.NET, Spring, Go, salvo |
//! | `[id]`, `[...rest]` | Next.js, SvelteKit |
//! | `(a|b)`, `a|b`, `login(.:format)`, `login$` | regular expressions; Rails |

use std::borrow::Cow;

use crate::error::ConfigError;

/// The characters that a backslash makes literal.
const SPECIAL: [char; 10] = [':', '*', '<', '>', '(', ')', '[', ']', '|', '$'];

/// The types of parameters that Flask and Django write before the name of the parameter.
const CONVERTERS: [&str; 9] = ["int", "float", "str", "string", "path", "uuid", "slug", "any", "re_path"];

/// Removes the escapes from a pattern.
///
/// # Errors
///
/// Returns an error for `rule.path` if a segment is a pattern of another router. The error shows the spelling for this
/// crate.
pub(super) fn literal(text: &str) -> Result<Cow<'_, str>, ConfigError> {
    let mut is_foreign = false;
    let last = text.matches('/').count();
    let meant = text.split('/').enumerate().map(|(at, segment)| match meant(segment) {
        Some(meant) => {
            is_foreign = true;
            // Only the last segment can match several segments.
            Cow::Owned(if at < last { meant.replace("{*", "{") } else { meant })
        }
        None => Cow::Borrowed(segment),
    });
    let meant = meant.collect::<Vec<_>>().join("/");
    if is_foreign {
        let problem = format!(
            "a pattern of another router, which would be a text here: write `{meant}`, or a backslash in front of `:`, `*`, `<`, \
             `(`, `[`, `|` or `$` for the text itself"
        );
        return Err(ConfigError::new("rule.path", text, problem));
    }
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut literal = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        literal.push(if c == '\\' { characters.next_if(|next| SPECIAL.contains(next)).unwrap_or(c) } else { c });
    }
    Ok(Cow::Owned(literal))
}

/// Returns the spelling for this crate of a segment that another router reads as a pattern. `None` for literal text and for
/// valid patterns.
fn meant(segment: &str) -> Option<String> {
    if let Some(inner) = segment.strip_prefix('{').filter(|rest| !rest.starts_with('{')) {
        return meant_by_braces(inner.strip_suffix('}')?);
    }
    let segment = without_escaped(segment);
    if let Some(name) = segment.strip_prefix(':') {
        let end = name.find(|c| !is_of_name(c)).unwrap_or(name.len());
        let (name, rest) = name.split_at_checked(end)?;
        return Some(parameter(name, rest.ends_with(['*', '+'])));
    }
    if segment.starts_with('*') {
        return Some(parameter(segment.trim_start_matches('*'), true));
    }
    if let Some((_, inner)) = segment.split_once('<') {
        return inner.split_once('>').map(|(inner, _)| meant_by_angles(inner));
    }
    if let Some((_, inner)) = segment.split_once('[').filter(|(_, inner)| inner.contains(']')) {
        let inner = inner.trim_start_matches('[');
        return Some(parameter(inner.trim_start_matches('.'), inner.starts_with("...")));
    }
    if let Some((before, _)) = segment.split_once('(') {
        // In `login(.:format)` a text precedes the parenthesis, and in `(login|signin)` none does.
        return Some(if before.is_empty() { parameter("", false) } else { before.to_owned() });
    }
    if let Some((one, _)) = segment.split_once('|') {
        return Some(one.to_owned());
    }
    segment.strip_suffix('$').map(|text| text.trim_start_matches('^').to_owned())
}

/// Returns the spelling for this crate of braces whose content is not a valid name. `None` if the content is a valid name.
fn meant_by_braces(inner: &str) -> Option<String> {
    let name = inner.strip_prefix('*').unwrap_or(inner);
    if !name.is_empty() && name.chars().all(is_of_name) {
        return None;
    }
    if inner == "$" {
        // In Go, `{$}` matches only the end of the path.
        return Some(String::new());
    }
    let is_rest = inner.starts_with("**") || inner.ends_with("...") || inner.contains(":.*") || inner.contains(":path");
    Some(parameter(inner.trim_start_matches('*'), is_rest))
}

fn meant_by_angles(inner: &str) -> String {
    let (name, is_path) = match inner.split_once(':') {
        Some((converter, name)) if CONVERTERS.contains(&converter.split('(').next().unwrap_or_default()) => {
            (name, converter == "path")
        }
        Some((name, _)) => (name, false),
        None => (inner, false),
    };
    parameter(name.trim_start_matches('*'), is_path || name.starts_with('*') || name.ends_with(".."))
}

/// Returns a parameter in the spelling of this crate. `text` begins with its name.
fn parameter(text: &str, is_rest: bool) -> String {
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let name = text.get(..end).filter(|name| !name.is_empty()).unwrap_or(if is_rest { "rest" } else { "name" });
    format!("{{{}{name}}}", if is_rest { "*" } else { "" })
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Replaces escaped characters of a segment by `_`, which has no meaning in a pattern.
fn without_escaped(segment: &str) -> Cow<'_, str> {
    if !segment.contains('\\') {
        return Cow::Borrowed(segment);
    }
    let mut characters = segment.chars().peekable();
    let mut out = String::with_capacity(segment.len());
    while let Some(c) = characters.next() {
        out.push(if c == '\\' && characters.next_if(|next| SPECIAL.contains(next)).is_some() { '_' } else { c });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_another_router_is_refused_with_the_spelling_that_is_meant() {
        for (text, meant) in [
            ("/a/:id/login", "/a/{id}/login"),
            ("/:id?", "/{id}"),
            (r"/:id(\d+)/login", "/{id}/login"),
            ("/:path*", "/{*path}"),
            ("/:path+", "/{*path}"),
            ("/:", "/{name}"),
            ("/a/:x/:y", "/a/{x}/{y}"),
            ("/files/*rest", "/files/{*rest}"),
            ("/files/*", "/files/{*rest}"),
            ("/files/**", "/files/{*rest}"),
            ("/*/login", "/{rest}/login"),
            ("/a/**/b/*", "/a/{rest}/b/{*rest}"),
            ("/:path*/login", "/{path}/login"),
            ("/<path:rest>/login", "/{rest}/login"),
            ("/files/*rest/", "/files/{rest}/"),
            ("/<id>/login", "/{id}/login"),
            ("/<int:id>/login", "/{id}/login"),
            ("/<string(length=2):lang>/login", "/{lang}/login"),
            ("/<path:rest>", "/{*rest}"),
            ("/<rest..>", "/{*rest}"),
            ("/<id:num>", "/{id}"),
            ("/<**rest>", "/{*rest}"),
            ("/user-<id>", "/{id}"),
            ("/{id:[0-9]+}/login", "/{id}/login"),
            ("/{id:int}/login", "/{id}/login"),
            ("/{id?}", "/{id}"),
            ("/{rest...}", "/{*rest}"),
            ("/{**rest}", "/{*rest}"),
            ("/{tail:.*}", "/{*tail}"),
            ("/login/{$}", "/login/"),
            ("/{}", "/{name}"),
            ("/[id]/login", "/{id}/login"),
            ("/[...rest]", "/{*rest}"),
            ("/[[...rest]]", "/{*rest}"),
            ("/login(.:format)", "/login"),
            ("/(login|signin)", "/{name}"),
            ("/login|signin", "/login"),
            ("/login$", "/login"),
            ("/^login$", "/login"),
            ("/v1/login$/", "/v1/login/"),
        ] {
            let error = literal(text).expect_err(text).to_string();
            assert!(error.contains(&format!("write `{meant}`,")), "{text}: {error}");
        }
    }

    #[test]
    fn a_text_is_left_alone_and_an_escape_makes_one() {
        for text in [
            "/login",
            "/v1/accounts:signIn",
            "/$batch",
            "/v1/$metadata/login",
            "/a/{id}/login",
            "/files/{*rest}",
            "/{tenant-id}",
            "/{{id}}",
            "/a*b",
            "/a>b",
            "/a)b",
            "/a]b",
            "/登录/{名}",
            r"/a\b",
        ] {
            assert_eq!(literal(text).expect(text), text);
        }
        for (text, literal_) in [
            (r"/\:id/login", "/:id/login"),
            (r"/\*", "/*"),
            (r"/\<id\>", "/<id>"),
            (r"/Users\(1\)", "/Users(1)"),
            (r"/a\|b", "/a|b"),
            (r"/login\$", "/login$"),
            (r"/\[id\]", "/[id]"),
            (r"/\:id/{x}", "/:id/{x}"),
        ] {
            assert_eq!(literal(text).expect(text), literal_);
        }
        assert!(literal(r"/\:id/:id").is_err(), "one of two");
    }
}
