//! Letters that some backend reads as other letters: the other case, compatibility forms, accents, invisible characters.
//!
//! The table and the readings share [`fold`]. [`simplest`] converts as much as any backend does: HTTP.sys and other Windows
//! code convert to a code page by "best fit" (`WideCharToMultiByte` converts `ł`, `ｌ` and `ℓ` to `l`),
//! `String#unicode_normalize` and `Normalizer` convert `ⓛ` and `𝓁` to `l`, and stores that compare by collation ignore
//! accents and soft hyphens.

use std::sync::LazyLock;

use crate::bytewise::find;

/// What it takes to fold a character that is in no table.
pub(super) const SLOW: usize = 400;

/// Folds case, for the table and for the readings: texts that differ only in case become equal, as in a backend that
/// ignores case in Unicode.
pub(super) fn fold(c: char, out: &mut String) {
    match folds_to_one(c) {
        Some(folded) => out.push(folded),
        None => out.extend(fold_slowly(c)),
    }
}

/// The same by the tables of Unicode, for what is not ASCII.
pub(super) fn fold_slowly(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

/// What a character folds to, if that is one character and known without the tables of Unicode, which take long.
#[inline]
pub(super) fn folds_to_one(c: char) -> Option<char> {
    if c.is_ascii() {
        Some(c.to_ascii_lowercase())
    } else if has_no_case(c) {
        Some(c)
    } else {
        letter(c).and_then(|letter| letter.folded)
    }
}

/// What is known of a character without a search.
struct Letter {
    /// `None` if it folds to several characters.
    folded: Option<char>,
    simple: Simple,
}

/// Latin, Greek, Cyrillic and what is between them.
static LETTERS: LazyLock<Box<[Letter]>> = LazyLock::new(|| {
    let letter = |c| {
        let mut folded = fold_slowly(c);
        Letter { folded: folded.next().filter(|_| folded.next().is_none()), simple: simple_by_search(c) }
    };
    ('\0'..'\u{600}').map(letter).collect()
});

#[inline]
fn letter(c: char) -> Option<&'static Letter> {
    LETTERS.get(usize::try_from(u32::from(c)).unwrap_or(usize::MAX))
}

/// Makes the table, so that no request waits for it.
pub(super) fn prepare() {
    LazyLock::force(&LETTERS);
}

/// Whether [`fold`] leaves the character unchanged, as far as this is known without a look-up.
fn has_no_case(c: char) -> bool {
    matches!(u32::from(c), 0x3001..=0xa63f | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xff41..=0xff5e | 0x1f000..=0x1faff)
}

/// A part of a text.
pub(super) enum Run<'t> {
    Ascii(&'t str),
    /// Characters that are known by their first byte to have no case: U+4000 to U+9FFF and U+B000 to U+CFFF, nearly all of Chinese
    /// and of Korean.
    Caseless(&'t str),
    Character(char),
}

/// The parts of a text in their order.
pub(super) fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let cut = |end| rest.split_at_checked(end).unwrap_or((rest, ""));
        let (run, after) = match rest.as_bytes().first()? {
            0..=0x7f => {
                let end = find(rest.as_bytes(), |word| word, |byte| !byte.is_ascii()).unwrap_or(rest.len());
                let (ascii, after) = cut(end);
                (Run::Ascii(ascii), after)
            }
            0xe4..=0xe9 | 0xeb | 0xec => {
                let (characters, _) = rest.as_bytes().as_chunks();
                let is_caseless = |[first, ..]: &&[u8; 3]| matches!(first, 0xe4..=0xe9 | 0xeb | 0xec);
                let (caseless, after) = cut(3 * characters.iter().take_while(is_caseless).count());
                (Run::Caseless(caseless), after)
            }
            _ => {
                let mut characters = rest.chars();
                (Run::Character(characters.next()?), characters.as_str())
            }
        };
        rest = after;
        Some(run)
    })
}

/// Appends the simplest form of [`Run::Caseless`], as [`simplest`] of each character.
pub(super) fn simplest_caseless(caseless: &str, beyond_ascii: bool, out: &mut Vec<u8>) {
    if beyond_ascii {
        out.extend_from_slice(caseless.as_bytes());
    } else {
        out.resize(out.len() + caseless.len() / 3, ANOTHER);
    }
}

/// Whether a character folds to a letter of ASCII: the long s and the Kelvin sign.
pub(super) fn is_look_alike(c: char) -> bool {
    matches!(c, '\u{17f}' | '\u{212a}')
}

/// Returns the ASCII character of a full-width letter, digit, slash, dot, hyphen or underscore. A conversion to a narrower
/// encoding yields this character.
pub(super) fn narrow(c: char) -> Option<char> {
    let ascii = u8::try_from(u32::from(c).checked_sub(0xfee0)?).ok()?;
    (ascii.is_ascii_alphanumeric() || matches!(ascii, b'/' | b'.' | b'-' | b'_')).then_some(ascii.into())
}

/// Takes the place of a character that occurs in no rule. The character then need not be folded.
const ANOTHER: u8 = 0x7f;

/// Appends the simplest form of a character beyond ASCII: lower-case ASCII, nothing, or the folded character. If no rule
/// has a character beyond ASCII, [`ANOTHER`] takes the place of the folded character.
///
/// The form depends only on `fold(c)`, so two texts that fold to the same text have the same simplest form. A test checks
/// every character. Returns whether the character was folded, which is slow.
#[inline]
pub(super) fn simplest(c: char, beyond_ascii: bool, out: &mut Vec<u8>) -> bool {
    let folds = match simple(c) {
        Simple::Ascii(byte) => {
            out.push(byte);
            return false;
        }
        Simple::Invisible => return false,
        Simple::Folds => true,
        Simple::Other if beyond_ascii => match folds_to_one(c) {
            Some(folded) => {
                simplest_after_folding(folded, true, out);
                return false;
            }
            None => true,
        },
        Simple::Caseless | Simple::Other => false,
    };
    if folds {
        simplest_folded(c, beyond_ascii, out);
    } else {
        push(if beyond_ascii { c } else { ANOTHER.into() }, out);
    }
    folds
}

/// Returns the simplest form of a text that is already folded, such as a pattern.
pub(super) fn simplest_of(folded: &str, beyond_ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(folded.len());
    folded.chars().for_each(|c| simplest_after_folding(c, beyond_ascii, &mut out));
    out
}

#[inline(never)]
fn simplest_folded(c: char, beyond_ascii: bool, out: &mut Vec<u8>) {
    fold_slowly(c).for_each(|c| simplest_after_folding(c, beyond_ascii, out));
}

fn simplest_after_folding(c: char, beyond_ascii: bool, out: &mut Vec<u8>) {
    if c.is_ascii() {
        return push(if c == '\\' { '/' } else { c }, out);
    }
    match simple(c) {
        Simple::Ascii(byte) => out.push(byte),
        Simple::Invisible => {}
        Simple::Caseless | Simple::Folds | Simple::Other => push(if beyond_ascii { c } else { ANOTHER.into() }, out),
    }
}

#[inline]
pub(super) fn push(c: char, out: &mut Vec<u8>) {
    let mut utf8 = [0; 4];
    let length = c.encode_utf8(&mut utf8).len();
    // Each of a length that the compiler knows, so that nothing is called.
    match (length, utf8) {
        (1, [one, ..]) => out.push(one),
        (2, [one, two, ..]) => out.extend_from_slice(&[one, two]),
        (3, [one, two, three, _]) => out.extend_from_slice(&[one, two, three]),
        (_, all) => out.extend_from_slice(&all),
    }
}

/// The simplest form of a character beyond ASCII.
#[derive(Clone, Copy)]
enum Simple {
    /// An ASCII character: the character is a compatibility form or has an accent.
    Ascii(u8),
    /// Nothing: the character is invisible, white space, or an accent without a letter.
    Invisible,
    /// The character itself: it has no case.
    Caseless,
    /// The character folds to a text that contains ASCII.
    Folds,
    Other,
}

/// The letters from U+00C0 to U+017F without their accents. A dot marks a letter without a base letter.
const LATIN: &[u8; 192] = b"aaaaaa.ceeeeiiiidnooooo.ouuuuy..aaaaaa.ceeeeiiiidnooooo.ouuuuy.y\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkkkllllllllllnnnnnnnnnoooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

#[inline]
fn simple(c: char) -> Simple {
    letter(c).map_or_else(|| simple_by_search(c), |letter| letter.simple)
}

#[expect(clippy::match_same_arms, reason = "in the order of the characters, but for the first")]
fn simple_by_search(c: char) -> Simple {
    let code = u32::from(c);
    let letter = |first: u8, offset: u32| Simple::Ascii(first + u8::try_from(offset % 26).unwrap_or(0));
    match code {
        // Nearly all that is not Latin ends here.
        0x3001..=0xa63f | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0x1f200..=0x1faff => Simple::Caseless,
        0x620..=0x115e | 0xfffc..=0x1d172 => Simple::Other,
        0x80..=0xa0 | 0xad | 0x2bc | 0x2be | 0x300..=0x344 | 0x346..=0x36f => Simple::Invisible,
        0xc0..=0x17f => match LATIN.get(usize::try_from(code - 0xc0).unwrap_or(usize::MAX)) {
            Some(b'.') if code == 0xdf => Simple::Folds,
            Some(&ascii) if ascii != b'.' => Simple::Ascii(ascii),
            _ => Simple::Other,
        },
        0x1f0 | 0x1e96..=0x1e9a | 0x212a | 0x212b | 0xfb00..=0xfb06 => Simple::Folds,
        0x61c | 0x115f..=0x1160 | 0x1680 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x2000..=0x200f => Simple::Invisible,
        0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0xfe00..=0xfe0f | 0xfeff | 0xfff0..=0xfffb => Simple::Invisible,
        0x1d173..=0x1d17a | 0xe0000..=0xe0fff => Simple::Invisible,
        0xff01..=0xff5e => match u8::try_from(code - 0xfee0).unwrap_or(0).to_ascii_lowercase() {
            b'\\' => Simple::Ascii(b'/'),
            ascii => Simple::Ascii(ascii),
        },
        0x1d400..=0x1d6a3 => letter(b'a', code - 0x1d400),
        0x1d7ce..=0x1d7ff => Simple::Ascii(b'0' + u8::try_from((code - 0x1d7ce) % 10).unwrap_or(0)),
        0x24b6..=0x24e9 => letter(b'a', code - 0x24b6),
        0x1f130..=0x1f149 => letter(b'a', code - 0x1f130),
        0x2080..=0x2089 => Simple::Ascii(b'0' + u8::try_from(code - 0x2080).unwrap_or(0)),
        0x2010..=0x2015 | 0x2212 | 0xfe63 => Simple::Ascii(b'-'),
        _ => compatible(c),
    }
}

/// Returns the simplest form of compatibility forms that are in no range: superscripts, letters used as symbols, Roman
/// numerals, punctuation marks.
fn compatible(c: char) -> Simple {
    Simple::Ascii(match c {
        'ª' | 'ᵃ' | 'ₐ' | 'ᴬ' => b'a',
        'ᵇ' | 'ℬ' | 'ᴮ' => b'b',
        'ᶜ' | 'ℂ' | 'ℭ' | 'ⅽ' | 'Ⅽ' => b'c',
        'ᵈ' | 'ⅅ' | 'ⅆ' | 'ⅾ' | 'Ⅾ' | 'ᴰ' => b'd',
        'ᵉ' | 'ₑ' | 'ℯ' | 'ℰ' | 'ⅇ' | '℮' | 'ᴱ' => b'e',
        'ᶠ' | 'ℱ' => b'f',
        'ᵍ' | 'ℊ' | 'ᴳ' => b'g',
        'ʰ' | 'ₕ' | 'ℋ' | 'ℌ' | 'ℍ' | 'ℎ' | 'ᴴ' => b'h',
        'ⁱ' | 'ᵢ' | 'ℐ' | 'ℑ' | 'ℹ' | 'ⅈ' | 'ⅰ' | 'Ⅰ' | 'ᴵ' => b'i',
        'ʲ' | 'ⅉ' | 'ᴶ' => b'j',
        'ᵏ' | 'ₖ' | 'ᴷ' => b'k',
        'ˡ' | 'ₗ' | 'ℒ' | 'ℓ' | 'ⅼ' | 'Ⅼ' | 'ᴸ' => b'l',
        'ᵐ' | 'ₘ' | 'ℳ' | 'ⅿ' | 'Ⅿ' | 'ᴹ' => b'm',
        'ⁿ' | 'ₙ' | 'ℕ' | 'ᴺ' => b'n',
        'º' | 'ᵒ' | 'ₒ' | 'ℴ' | 'ᴼ' => b'o',
        'ᵖ' | 'ₚ' | 'ℙ' | 'ᴾ' => b'p',
        'ℚ' => b'q',
        'ʳ' | 'ᵣ' | 'ℛ' | 'ℜ' | 'ℝ' | 'ᴿ' => b'r',
        'ˢ' | 'ₛ' => b's',
        'ᵗ' | 'ₜ' | 'ᵀ' => b't',
        'ᵘ' | 'ᵤ' | 'ᵁ' => b'u',
        'ᵛ' | 'ᵥ' | 'ⅴ' | 'Ⅴ' | 'ⱽ' => b'v',
        'ʷ' | 'ᵂ' => b'w',
        'ˣ' | 'ₓ' | 'ⅹ' | 'Ⅹ' => b'x',
        'ʸ' => b'y',
        'ᶻ' | 'ℤ' | 'ℨ' => b'z',
        '⁰' => b'0',
        '¹' => b'1',
        '²' => b'2',
        '³' => b'3',
        '⁴' => b'4',
        '⁵' => b'5',
        '⁶' => b'6',
        '⁷' => b'7',
        '⁸' => b'8',
        '⁹' => b'9',
        '⁄' | '∕' | '∖' | '﹨' => b'/',
        '․' | '﹒' => b'.',
        _ => return Simple::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_folds_to_one_text_has_one_simplest_form() {
        for beyond_ascii in [false, true] {
            for c in ('\u{80}'..=char::MAX).filter(|c| !c.is_ascii()) {
                let (mut simple, mut folded) = (Vec::new(), String::new());
                simplest(c, beyond_ascii, &mut simple);
                fold(c, &mut folded);
                let mut expected = simplest_of(&folded, beyond_ascii);
                // The number of other characters does not matter, because no rule contains them.
                expected.dedup_by(|one, other| one == other && *one == ANOTHER);
                assert_eq!(simple, expected, "{c:?} {folded:?}");
                if let Some(ascii) = narrow(c) {
                    assert_eq!(simple, [u8::try_from(ascii).unwrap().to_ascii_lowercase()], "{c:?}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_case_does_not_fold() {
        for c in ('\u{80}'..=char::MAX).filter(|c| has_no_case(*c)) {
            assert_eq!(c.to_uppercase().flat_map(char::to_lowercase).collect::<String>(), c.to_string());
        }
    }

    #[test]
    fn what_the_first_byte_shows_to_have_no_case_is_its_own_simplest_form() {
        let caseless = |c: &char| matches!(runs(c.encode_utf8(&mut [0; 4])).next(), Some(Run::Caseless(_)));
        let all: Vec<char> = ('\u{80}'..=char::MAX).filter(caseless).collect();
        assert_eq!(all.len(), 0x6000 + 0x2000);
        for c in all {
            assert!(has_no_case(c) && narrow(c).is_none() && !is_look_alike(c), "{c:?}");
            for beyond_ascii in [false, true] {
                let (mut one, mut many) = (Vec::new(), Vec::new());
                simplest(c, beyond_ascii, &mut one);
                simplest_caseless(c.encode_utf8(&mut [0; 4]), beyond_ascii, &mut many);
                assert_eq!(one, many, "{c:?}");
            }
        }
    }

    #[test]
    fn compatibility_forms_and_accents_are_plain_letters() {
        let simplest_of = |text: &str| {
            let mut out = Vec::new();
            text.chars().for_each(|c| _ = simplest(c, false, &mut out));
            String::from_utf8(out).unwrap()
        };
        for text in
            ["ｌｏｇｉｎ", "ⓛⓞⓖⓘⓝ", "ⓁⓄⒼⒾⓃ", "𝓁𝗈𝕘𝒊𝚗", "ˡᵒᵍⁱⁿ", "ℓőğıń", "ł\u{ad}ó\u{200b}ĝ\u{feff}ì\u{301}ñ", "ⅼºℊℹₙ"]
        {
            assert_eq!(simplest_of(text), "login", "{text}");
        }
        assert_eq!(simplest_of("ﬁﬀß\u{212a}登"), "fiffssk\u{7f}");
        assert_eq!(simplest_of("æÞĳ"), "\u{7f}\u{7f}\u{7f}", "without a base letter");
    }
}
