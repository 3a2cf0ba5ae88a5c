//! What sets parsers apart, as it is known: names, values, bytes.

/// Values for a token; all but the last few are good.
#[rustfmt::skip]
pub(crate) const TOKENS: &[&str] = &[
    "t", "tok-7f3a", "a b", "a+b", "a/b==", "a=b", "a&b", "100%", "%41", "%zz", "你好", "😀", "é", "\u{feff}t", "a;b",
    "[]", "a]=b", "[=]", "null", "0", "1e5", "\u{2028}", "\u{fffd}", "a\\b", "\"", "'", "<", "?t", "#", "\u{e000}",
    "\u{301}", "\u{10ffff}", "\u{feff}", "\0", "a\0b", "\r\n", "\u{7f}", "\u{85}", "",
];

/// Values for a phone, as JSON writes them. The first few are good.
#[rustfmt::skip]
pub(crate) const PHONES: &[&str] = &[
    "\"13812345678\"", "13812345678", "\"13912345678\"", "13800000000", "13812345678.0", "1.3812345678e10",
    "13812345678E0", "\"+8613812345678\"", "\"138 1234 5678\"", "\"１３８１２３４５６７８\"", "-13812345678", "013812345678",
    "113812345678123456789", "null", "true", "[\"13812345678\"]", "{\"0\":\"13812345678\"}", "\"\"",
    "\"13812345678\\u0000\"", "\"13812345678 \"", "0x3372A0BFE", "13_812_345_678", "+13812345678", "NaN",
];

/// What else may stand in a document.
#[rustfmt::skip]
pub(crate) const OTHERS: &[&str] = &[
    "1", "-0", "0.5", "1e308", "1e309", "-1E+400", "1e-400", "123456789012345678901234567890", "true", "null", "[]",
    "{}", "\"\"", "\"x\"", "[1,[2,{\"phone\":\"13700000000\"}]]", "{\"phone\":1,\"phone\":2}", "{\"token\":\"u\"}",
    "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"\\/\"", "\"\\x41\"", "'x'", "NaN",
    "Infinity", "undefined", "01", "1.", ".5", "[1,]", "{\"a\":1,}", "/**/1", "\"\u{2028}\"", "\"\t\"",
    "\"\u{fffe}\"",
];

/// Keys that belong to nobody.
#[rustfmt::skip]
pub(crate) const KEYS: &[&str] = &[
    "x", "", "0", "__proto__", "constructor", "toString", "hasOwnProperty", "length", "你", "a.b", "a[b]", "a[", "]",
    "[x]", " ", "_", "-", "\0", "\0phone", "phones", "phon", "tokens", "\u{feff}", "=", "?", "a]", "a[]", "x[phone]",
    "x[token]", "a[b][c][d][e][f][g]", "utf8", "_charset_", "_method", "$", "@type", "\"", "\\", "#", ";", "%", "&",
    "+",
];

/// What makes of a name another one that some parser takes for it. `@` is the name.
#[rustfmt::skip]
pub(crate) const BENDS: &[&str] = &[
    "@", "@[]", "@[0]", "@[x]", "@.x", "[@]", "@[", "@]", " @", "@ ", "\t@", "@\0", "@\0x", "\0@", "?@", "#@",
    "\u{feff}@", "@=", "=@", "@\u{200b}", "@\u{301}", "@;", "&@", "amp;@", "x[@]", "x.@", "@_", "_@", "-@", "'@'",
    "\"@\"", "$@", "@s", "@[]=", "@]=", "[]@", "@%", "%@", "@+", "+@", "@\r", "\n@",
];

/// Bytes that mean something to somebody.
#[rustfmt::skip]
pub(crate) const BYTES: &[u8] =
    b"\"\\{}[]:,&=;%+?#. _-/*'<>0123456789eEtfnu\0\t\n\r\x0b\x0c\x1f\x7f\x80\xa0\xbf\xc0\xe2\xed\xef\xf0\xfe\xff";
