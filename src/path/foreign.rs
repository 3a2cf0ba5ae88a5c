//! Readings of a path that only backends of other languages have, in addition to those that every backend may have.
//!
//! | spelling of `/login` | read as `/login` by |
//! |---|---|
//! | `/login.json`, `/login.do`, `/login.*` | Rails' `(.:format)`, Struts and Spring's suffix patterns, `MultiViews` |
//! | `/login!input`, `/login,1`, `/login~1`, `/login&x=1` | Struts' `action!method`, `RewriteRule ^(.*)$ index.php?q=$1`: cut at a mark |
//! | `/login.`, `/login%20`, `/login::$DATA`, `/v1:$i30:$INDEX_ALLOCATION/login` | Windows' file names |
//! | `/login.php/x`, `/login;x` | `PATH_INFO` behind a script |
//! | `/index.php/login`, `/app/index.php/login`, `/cgi-bin/login`, `/public/login` | a front controller, or the folder it is in |
//! | `/VirtualHostBase/http/a:80/VirtualHostRoot/_vh_x/login` | Zope |
//! | `/login/index`, `/login/index.html`, `/login/default.aspx`, `/index/login` | default actions, modules and documents |
//! | `//host/login`, `/\host/login`, `/%5chost/login` | PHP's `parse_url($_SERVER['REQUEST_URI'])`, Node's `new URL(request.url, base)`: a URL without a scheme |
//! | `/(S(abc))/login`, `/(A(a)F(b))/login`, `/lo/(S(x))gin` | ASP.NET's `CookielessHelper`, which removes the session |
//!
//! `letters` has the letters that some backends read as other letters. No such spelling certainly means a guarded path, so the
//! layer refuses a match. Two kinds are not covered, because they could mean any path: further segments that a router reads as
//! parameters without a default action before them (`/login/x/y` in Yii 1 and `ThinkPHP`), and short names of Windows
//! (`/REGIST~1`).

use super::{
    meter::{Exhausted, Meter},
    resolve::LookUp,
};
use crate::bytewise::{count, equal, find};

/// The maximum number of scripts and folders in a path. A path with more is an attempt to confuse readers.
const SCRIPTS: usize = 8;

/// The names of default documents, and of the action that a controller runs if the path names none.
const DEFAULTS: [&str; 3] = ["index", "default", "iisstart"];

/// The folders in which front controllers are.
const FOLDERS: [&str; 10] =
    ["public", "webroot", "wwwroot", "htdocs", "public_html", "cgi-bin", "fcgi-bin", "index", "~", "virtualhostroot"];

/// What a segment begins with that Zope skips after `VirtualHostRoot`: `/VirtualHostBase/http/a:80/VirtualHostRoot/_vh_x/login`.
const VIRTUAL: &[u8] = b"_vh_";

/// The extensions of scripts. `php` with any version is also an extension of a script.
const SCRIPT: [&str; 37] = [
    "phtml", "phar", "phps", "pht", "inc", "asp", "aspx", "ashx", "asmx", "axd", "svc", "mvc", "cshtml", "vbhtml",
    "jsp", "jspx", "jspa", "jsf", "faces", "do", "action", "cgi", "fcgi", "pl", "pm", "py", "wsgi", "rb", "lua", "cfm",
    "cfc", "exe", "dll", "shtml", "html", "htm", "nsf",
];

/// Returns the path after the host, if a path begins with two or more slashes. Some servers read such a path as a URL
/// without a scheme.
#[inline]
pub(super) fn behind_host(path: &[u8]) -> Option<&[u8]> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    if !matches!(path, [b'/' | b'\\', b'/' | b'\\', ..]) {
        return None;
    }
    let host = path.iter().position(|byte| !is_slash(byte)).and_then(|at| path.get(at..))?;
    let marks = |word| equal(word, b'/') | equal(word, b'\\');
    find(host, marks, |byte| is_slash(&byte)).and_then(|at| host.get(at..))
}

/// Whether a path contains anything that [`is_read_otherwise`] could read differently.
pub(super) fn has_marks(path: &str) -> bool {
    // As bytes: to begin a search in a text costs more than most segments are long.
    path.as_bytes().split(|&byte| byte == b'/').any(|segment| {
        let has_mark = segment.iter().any(|&byte| is_mark(byte)) && !matches!(segment, b"." | b"..");
        let is_default = || DEFAULTS.iter().any(|name| name.as_bytes() == segment);
        has_mark || is_folder(segment) || (may_be_known(segment) && is_default())
    })
}

/// Whether a segment begins like one of [`DEFAULTS`] or [`FOLDERS`].
fn may_be_known(segment: &[u8]) -> bool {
    matches!(segment, [b'i' | b'd' | b'p' | b'w' | b'h' | b'c' | b'f' | b'v' | b'~', ..])
}

fn is_folder(segment: &[u8]) -> bool {
    let is_one = || FOLDERS.iter().any(|name| name.as_bytes() == segment);
    segment.starts_with(VIRTUAL) || (may_be_known(segment) && is_one())
}

/// Whether `hit` returns true for a path that another backend may read in a folded path.
///
/// # Errors
///
/// Returns an error if this takes more work than is left.
pub(super) fn is_read_otherwise(
    text: &str,
    hit: impl Fn(&str) -> bool,
    look_up: LookUp,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    meter.spend(450 + text.len() * 10)?;
    if let Some(without) = without_sessions(text, meter)? {
        meter.spend(600 + text.len() * 40)?;
        if hit(&without) || is_read_among_segments(&without, &hit, look_up, meter)? {
            return Ok(true);
        }
    }
    is_read_among_segments(text, &hit, look_up, meter)
}

/// Removes the session segments of ASP.NET from a path. `None` if it has no such segment.
fn without_sessions(text: &str, meter: &mut Meter) -> Result<Option<String>, Exhausted> {
    let mut out = String::new();
    let mut rest = text;
    let mut found = false;
    // Without `str::find`: the setup of its search for two bytes takes longer than the scan of most paths.
    while let Some(at) = rest.as_bytes().windows(2).position(|two| two == b"/(") {
        let (before, session) = (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default());
        meter.spend(160 + before.len() * 6)?;
        let length = session_length(session, meter)?;
        let (kept, after) = match length {
            // These parentheses are not a session.
            None => (before.len() + 2, session),
            Some(length) => {
                found = true;
                (before.len(), session.get(length..).unwrap_or_default())
            }
        };
        out.push_str(rest.get(..kept).unwrap_or_default());
        rest = after;
    }
    if !found {
        return Ok(None);
    }
    out.push_str(rest);
    if out.is_empty() {
        out.push('/');
    }
    Ok(Some(out))
}

/// Returns the length of `S(abc))`: one or several such words, and the parenthesis that closes the one before them. `None`
/// if the text does not begin with a session.
fn session_length(text: &str, meter: &mut Meter) -> Result<Option<usize>, Exhausted> {
    let mut rest = text;
    while let [letter, b'(', ..] = *rest.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        let end = rest.find(')');
        // If a parenthesis is not closed, the search scans the whole rest of the text.
        let looked_at = end.unwrap_or(rest.len());
        meter.spend(260 + looked_at * 2)?;
        let Some(end) = end else { return Ok(None) };
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    let after = rest.strip_prefix(')').filter(|_| rest.len() < text.len());
    Ok(after.map(|after| text.len() - after.len()))
}

fn is_read_among_segments(
    text: &str,
    hit: &impl Fn(&str) -> bool,
    look_up: LookUp,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    meter.spend(450 + text.len() * 8 + count(text.as_bytes(), b'/') * 100)?;
    let segments: Vec<&str> = text.split('/').filter(|segment| !trim(segment).is_empty()).collect();
    let mut asked = Asked { path: String::with_capacity(text.len() + 1), hit, look_up, meter };
    if asked.is_hit([].iter(), segments.iter())? {
        return Ok(true);
    }
    let mut scripts = 0;
    for (at, segment) in segments.iter().enumerate() {
        asked.meter.spend(200)?;
        if !is_folder(segment.as_bytes()) && !is_script(trim(segment)) {
            continue;
        }
        scripts += 1;
        if scripts > SCRIPTS {
            return Err(Exhausted);
        }
        // The backend serves the rest of the path, relative to the root or to the folder of the script.
        let (before, after) = (segments.iter().take(at), segments.iter().skip(at + 1));
        if asked.is_hit([].iter(), after.clone())? || (at > 0 && asked.is_hit(before, after)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The paths that a backend may serve.
struct Asked<'a, H> {
    path: String,
    hit: &'a H,
    look_up: LookUp,
    meter: &'a mut Meter,
}

// === impl Asked ===

impl<H: Fn(&str) -> bool> Asked<'_, H> {
    /// Whether `hit` returns true for the path of these segments, or for a beginning of it that ends before a default
    /// document or at a mark.
    fn is_hit<'s>(
        &mut self,
        before: impl Iterator<Item = &'s &'s str>,
        after: impl Iterator<Item = &'s &'s str>,
    ) -> Result<bool, Exhausted> {
        self.path.clear();
        for segment in before.chain(after) {
            self.meter.spend(150 + segment.len() * 12)?;
            if is_default(segment) && self.is_hit_so_far()? {
                return Ok(true);
            }
            let start = self.path.len() + 1;
            self.path.push('/');
            self.path.push_str(segment);
            let marks = segment.bytes().enumerate().skip(1).filter(|&(_, byte)| is_mark(byte));
            for (cut, _) in marks.filter(|_| *segment != "..") {
                let rest = segment.get(cut..).unwrap_or_default();
                self.path.truncate(start + cut);
                if self.is_hit_so_far()? {
                    return Ok(true);
                }
                self.path.push_str(rest);
            }
            let trimmed = trim(segment);
            if trimmed.len() < segment.len() {
                self.path.truncate(start);
                self.path.push_str(trimmed);
            }
        }
        self.is_hit_so_far()
    }

    fn is_hit_so_far(&mut self) -> Result<bool, Exhausted> {
        self.meter.spend(100 + self.look_up.of(self.path.as_bytes()))?;
        Ok((self.hit)(if self.path.is_empty() { "/" } else { &self.path }))
    }
}

/// Returns a segment as Windows reads it: without trailing dots and spaces, and without the name of an NTFS stream.
fn trim(segment: &str) -> &str {
    // Nearly all segments return here, and each segment is trimmed several times.
    let bytes = segment.as_bytes();
    let stream = bytes.iter().position(|&byte| byte == b':');
    let ends = (bytes.first(), bytes.last());
    let is_plain = stream.is_none() && !matches!(ends, (Some(b' '), _) | (_, Some(b'.' | b' ')));
    if is_plain || matches!(segment, "." | "..") {
        return segment;
    }
    let named = bytes.get(..stream.unwrap_or(bytes.len())).unwrap_or_default();
    let end = named.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |last| last + 1);
    let start = named.iter().position(|&byte| byte != b' ').unwrap_or(0).min(end);
    segment.get(start..end).unwrap_or_default()
}

fn is_script(segment: &str) -> bool {
    let at = segment.bytes().rposition(|byte| byte == b'.');
    let extension = at.and_then(|at| segment.get(at + 1..));
    extension.is_some_and(|extension| extension.starts_with("php") || SCRIPT.contains(&extension))
}

fn is_default(segment: &str) -> bool {
    may_be_known(segment.as_bytes()) && {
        let stem = segment.bytes().position(is_mark).and_then(|at| segment.get(..at)).unwrap_or(segment);
        DEFAULTS.contains(&stem)
    }
}

/// Whether a name may end before this byte: a control character, or punctuation other than `-` and `_`.
#[inline]
pub(super) fn is_mark(byte: u8) -> bool {
    MARKS.get(usize::from(byte)).is_some_and(|is_mark| *is_mark)
}

/// For each byte whether it is a mark.
static MARKS: [bool; 256] = marks();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when it is compiled")]
const fn marks() -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at as u8;
        table[at] = byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'/');
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_without_an_end_are_not_looked_through_for_each_of_them() {
        for text in
            ["/(a(".repeat(2_000), "/(a(".repeat(2_000) + ")", "/(a(".repeat(1_000) + ")" + &"b()".repeat(1_000)]
        {
            let mut meter = Meter::new(6_500 + 38 * text.len());
            assert!(without_sessions(&text, &mut meter).is_err());
        }
        let mut meter = Meter::new(2_000);
        let without = without_sessions("/(S(abc)F(d))/login", &mut meter).unwrap();
        assert_eq!(without.as_deref(), Some("/login"));
    }
}
