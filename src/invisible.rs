//! Characters that are invisible in a text.

/// Whether a character is invisible: a format character, an end of a line (U+2028, U+2029), or a character from U+FFF0 to
/// U+FFFD. U+FFFD replaces bytes that are not UTF-8.
pub(crate) fn is_invisible(c: char) -> bool {
    is_format(c) || matches!(c, '\u{2028}'..='\u{2029}' | '\u{fff0}'..='\u{fffd}')
}

/// Whether a character is an invisible format character: it has the property `Default_Ignorable_Code_Point` (Unicode,
/// `DerivedCoreProperties`), as the bidirectional marks, the zero-width characters and the soft hyphen do.
pub(crate) fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
