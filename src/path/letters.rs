//! Letters that some backend reads as other letters: the other case, compatibility forms, accents, invisible characters.
//!
//! The table and the readings share [`fold`]. [`simplest`] converts as much as any backend does: HTTP.sys and other Windows
//! code convert to a code page by "best fit" (`WideCharToMultiByte` converts `ł`, `ｌ` and `ℓ` to `l`),
//! `String#unicode_normalize` and `Normalizer` convert `ⓛ` and `𝓁` to `l`, and stores that compare by collation ignore
//! accents and soft hyphens.

/// Folds case, for the table and for the readings: texts that differ only in case become equal, as in a backend that
/// ignores case in Unicode.
pub(super) fn fold(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
    } else if has_no_case(c) {
        out.push(c);
    } else {
        out.extend(c.to_uppercase().flat_map(char::to_lowercase));
    }
}

/// Whether [`fold`] leaves the character unchanged, as far as this is known without a look-up.
pub(super) fn has_no_case(c: char) -> bool {
    matches!(u32::from(c), 0x3001..=0xa63f | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xff41..=0xff5e)
}

/// Returns the ASCII character of a full-width letter, digit, slash, dot, hyphen or underscore. A conversion to a narrower
/// encoding yields this character.
pub(super) fn narrow(c: char) -> Option<char> {
    let ascii = char::from_u32(u32::from(c).checked_sub(0xfee0)?)?;
    (ascii.is_ascii_alphanumeric() || matches!(ascii, '/' | '.' | '-' | '_')).then_some(ascii)
}

/// Takes the place of a character that occurs in no rule. The character then need not be folded.
pub(super) const ANOTHER: char = '\u{7f}';

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
        Simple::Caseless => false,
        Simple::Folds => true,
        Simple::Other => beyond_ascii,
    };
    if folds {
        simplest_folded(c, beyond_ascii, out);
    } else {
        push(if beyond_ascii { c } else { ANOTHER }, out);
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
    let mut folded = String::new();
    fold(c, &mut folded);
    folded.chars().for_each(|c| simplest_after_folding(c, beyond_ascii, out));
}

fn simplest_after_folding(c: char, beyond_ascii: bool, out: &mut Vec<u8>) {
    if c.is_ascii() {
        return push(if c == '\\' { '/' } else { c }, out);
    }
    match simple(c) {
        Simple::Ascii(byte) => out.push(byte),
        Simple::Invisible => {}
        Simple::Caseless | Simple::Folds | Simple::Other => push(if beyond_ascii { c } else { ANOTHER }, out),
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The simplest form of a character beyond ASCII.
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

#[expect(clippy::match_same_arms, reason = "in the order of the characters")]
fn simple(c: char) -> Simple {
    let code = u32::from(c);
    let letter = |first: u8, offset: u32| Simple::Ascii(first + u8::try_from(offset % 26).unwrap_or(0));
    match code {
        0x80..=0xa0 | 0xad | 0x2bc | 0x2be | 0x300..=0x344 | 0x346..=0x36f => Simple::Invisible,
        0xc0..=0x17f => match LATIN.get(usize::try_from(code - 0xc0).unwrap_or(usize::MAX)) {
            Some(b'.') if code == 0xdf => Simple::Folds,
            Some(&ascii) if ascii != b'.' => Simple::Ascii(ascii),
            _ => Simple::Other,
        },
        // Most characters that are not Latin match this arm or the next one.
        0x3001..=0xa63f | 0xac00..=0xd7ff | 0xf900..=0xfaff => Simple::Caseless,
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
                expected.dedup_by(|one, other| one == other && char::from(*one) == ANOTHER);
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
