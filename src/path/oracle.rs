//! All readings of a path, as they were found before there was a skeleton and a meter: every stage for every text, into texts of
//! their own. Slow without a bound, and simple; what decides now is compared with it.

use super::{
    decode::{Escapes, fully as fully_into, once as once_into},
    letters::fold,
    segments::{self, before, has_dots, has_doubled_slash},
};

fn into(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn once(text: &[u8], escapes: Escapes) -> Vec<u8> {
    into(|out| once_into(text, escapes, out))
}

fn fully(text: &[u8], escapes: Escapes) -> Vec<u8> {
    into(|out| fully_into(text, escapes, out))
}

fn resolve_dots(text: &[u8]) -> Vec<u8> {
    into(|out| segments::resolve_dots(text, out))
}

fn collapse_slashes(text: &[u8]) -> Vec<u8> {
    into(|out| segments::collapse_slashes(text, out))
}

fn cut_parameters(text: &[u8]) -> Vec<u8> {
    into(|out| segments::cut_parameters(text, out))
}

/// More readings than this are a path made to confuse.
const READINGS: usize = 256;
/// Bytes of all readings of one path together: one reading of the longest path that `http::Uri` holds.
const BYTES: usize = 1 << 16;

/// What a path may mean.
pub(super) struct Readings {
    /// The readings, folded and without trailing slash; of UTF-8.
    pub(super) texts: Vec<Vec<u8>>,
    /// It can be read in several ways: a hit in the table is then no answer but a refusal.
    pub(super) several: bool,
    /// Its bytes are not valid UTF-8, so a backend may read it in an unknown encoding.
    pub(super) foreign: bool,
    /// It has more readings than anybody should compute.
    pub(super) too_many: bool,
}

// === impl Readings ===

impl Readings {
    /// All readings of a path as it was received; without a slash at its beginning it is one of its readings to have
    /// one.
    pub(super) fn of(path: &str) -> Self {
        let mut text = path.as_bytes().to_vec();
        let rooted = text.starts_with(b"/");
        if !rooted {
            text.insert(0, b'/');
        }
        let mut readings = Self { texts: vec![text], several: !rooted, foreign: false, too_many: false };

        readings.harmless(before_decoding);
        readings.decode();
        readings.foreign = readings.ambiguous(broken_utf8);
        readings.ambiguous(look_alikes);
        readings.harmless(full_width);
        for text in &mut readings.texts {
            *text = folded(text);
        }
        readings.ambiguous(backslash);
        readings.ambiguous(query);
        readings.ambiguous(control);
        readings.harmless(space);
        readings.harmless(parameters);
        readings.harmless(doubled_slash);
        readings.harmless(dots);
        readings.ambiguous(query);
        readings.ambiguous(control);
        readings.harmless(space);
        readings.harmless(trailing_slash);
        readings
    }

    /// A stage whose alternatives a backend may well choose among without harm, if they mean the same entry.
    fn harmless(&mut self, stage: fn(&[u8]) -> Option<Vec<Vec<u8>>>) -> bool {
        let mut affected = false;
        let mut next = Vec::with_capacity(self.texts.len());
        for text in std::mem::take(&mut self.texts) {
            if let Some(alternatives) = stage(&text) {
                affected = true;
                next.extend(alternatives);
            } else {
                next.push(text);
            }
        }
        self.texts = next;
        self.bound();
        affected
    }

    /// A stage whose alternatives make the path ambiguous. Returns whether there were any.
    fn ambiguous(&mut self, stage: fn(&[u8]) -> Option<Vec<Vec<u8>>>) -> bool {
        let affected = self.harmless(stage);
        self.several |= affected;
        affected
    }

    /// Once as the standard says; when more could be decoded, or a slash was encoded, in other ways too.
    fn decode(&mut self) {
        let mut next = Vec::with_capacity(self.texts.len());
        for text in std::mem::take(&mut self.texts) {
            if !text.contains(&b'%') {
                next.push(text);
                continue;
            }
            let all = fully(&text, Escapes { slash: true, iis: true });
            let slashes_left = fully(&text, Escapes { slash: false, iis: true }) != all;
            let deeper = once(&text, Escapes { slash: true, iis: false }) != all;
            self.several |= slashes_left || deeper;
            decode_rounds(&text, true, deeper, &mut next);
            if slashes_left {
                decode_rounds(&text, false, deeper, &mut next);
            }
        }
        self.texts = next;
        self.bound();
    }

    fn bound(&mut self) {
        if self.texts.len() > READINGS || self.texts.iter().map(Vec::len).sum::<usize>() > BYTES {
            self.too_many = true;
            self.texts.clear();
        }
    }
}

// === stages ===

fn decode_rounds(text: &[u8], slash: bool, deeper: bool, out: &mut Vec<Vec<u8>>) {
    let first = once(text, Escapes { slash, iis: false });
    if deeper {
        let escapes = Escapes { slash, iis: true };
        let second = once(&first, escapes);
        if has_dots(&first) {
            out.push(once(&resolve_dots(&first), escapes));
        }
        out.push(once(text, escapes));
        out.push(once(&second, escapes));
        out.push(second);
        out.push(fully(text, escapes));
    }
    out.push(first);
}

/// A backend may cut parameters and resolve dots in the path as it came, and decode what is left, or turn what else becomes a
/// slash or a dot.
fn before_decoding(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (dots, parameters) = (has_dots(text), text.contains(&b';'));
    let becomes_another = text.iter().any(|byte| matches!(byte, b'%' | b'\\' | 0x80..));
    if !becomes_another || !(dots || parameters) {
        return None;
    }
    let mut all = vec![text.to_vec()];
    if parameters {
        all.push(cut_parameters(text));
    }
    if dots || parameters {
        all.extend(all.clone().iter().filter(|text| has_dots(text)).map(|text| resolve_dots(text)));
    }
    if dots && has_doubled_slash(text) {
        all.push(resolve_dots(&collapse_slashes(text)));
    }
    Some(all)
}

/// Broken bytes may be replaced, dropped, or (in an overlong form, `%c0%af`) taken for the character they hide.
fn broken_utf8(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    str::from_utf8(text).err()?;
    let revealed = reveal_overlong(text);
    Some(vec![
        String::from_utf8_lossy(text).into_owned().into_bytes(),
        text.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect(),
        String::from_utf8_lossy(&revealed).into_owned().into_bytes(),
        revealed.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect(),
    ])
}

/// ASCII that was written in two, three or four bytes, as RFC 3629 forbids.
fn reveal_overlong(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let (ascii, length) = match *rest {
            [lead @ 0xc0..=0xc1, last, ..] => (lead << 6 | last & 0x3f, 2),
            [0xe0, lead @ 0x80..=0x81, last, ..] => (lead << 6 | last & 0x3f, 3),
            [0xf0, 0x80, lead @ 0x80..=0x81, last, ..] => (lead << 6 | last & 0x3f, 4),
            _ => (first, 1),
        };
        out.push(ascii);
        rest = if length == 1 { tail } else { rest.get(length..).unwrap_or_default() };
    }
    out
}

/// The long s and the Kelvin sign are `s` and `k` to who ignores case; folding makes them so.
fn look_alikes(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let found = ["\u{17f}", "\u{212a}"].iter().any(|c| text.windows(c.len()).any(|window| window == c.as_bytes()));
    found.then(|| vec![text.to_vec()])
}

/// Full-width letters, digits, slashes and dots, which a conversion to a narrower encoding makes ASCII.
fn full_width(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let narrow = |c: char| {
        let ascii = char::from_u32(u32::from(c).checked_sub(0xfee0)?)?;
        (ascii.is_ascii_alphanumeric() || matches!(ascii, '/' | '.' | '-' | '_')).then_some(ascii)
    };
    let wide = str::from_utf8(text).ok().filter(|text| !text.is_ascii())?;
    wide.chars().find_map(narrow)?;
    Some(vec![text.to_vec(), wide.chars().map(|c| narrow(c).unwrap_or(c)).collect::<String>().into_bytes()])
}

fn folded(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| fold(c, &mut out));
    out.into_bytes()
}

fn backslash(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let as_slash = || text.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect();
    text.contains(&b'\\').then(|| vec![as_slash(), text.to_vec()])
}

/// A decoded `?` or `#` may end the path once it is written into another request.
fn query(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let cut = before(text, |byte| matches!(byte, b'?' | b'#'));
    (cut.len() < text.len()).then(|| vec![cut.to_vec(), text.to_vec()])
}

/// Control characters may be kept, dropped, or end the path: NUL in C, a line break in HTTP.
fn control(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let cut = before(text, |byte| byte.is_ascii_control());
    if cut.len() == text.len() {
        return None;
    }
    let without = |text: &[u8]| text.iter().copied().filter(|byte| !byte.is_ascii_control()).collect::<Vec<_>>();
    let mut all = vec![cut.to_vec(), without(text), text.to_vec()];
    let c_string = before(text, |byte| byte == 0);
    if c_string.len() < text.len() && c_string.len() > cut.len() {
        all.extend([without(c_string), c_string.to_vec()]);
    }
    Some(all)
}

/// A decoded space ends the path once it is written into another request line.
fn space(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let cut = before(text, |byte| byte == b' ');
    (cut.len() < text.len()).then(|| vec![text.to_vec(), cut.to_vec()])
}

/// Parameters may be cut in every segment, kept, or end the path.
fn parameters(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let cut = before(text, |byte| byte == b';');
    (cut.len() < text.len()).then(|| vec![cut_parameters(text), text.to_vec(), cut.to_vec()])
}

fn doubled_slash(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    has_doubled_slash(text).then(|| vec![collapse_slashes(text), text.to_vec()])
}

fn dots(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    has_dots(text).then(|| vec![resolve_dots(text), text.to_vec()])
}

/// A trailing slash does not count; of several, left as they are, the last may be a segment's content.
fn trailing_slash(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let stripped = text.strip_suffix(b"/").filter(|rest| !rest.is_empty())?;
    let mut all = vec![stripped.to_vec()];
    if stripped.ends_with(b"/") {
        all.push(text.to_vec());
    }
    Some(all)
}
