//! The known differences between parsers: names, values, bytes.

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

/// Other parts of a document.
#[rustfmt::skip]
pub(crate) const OTHERS: &[&str] = &[
    "1", "-0", "0.5", "1e308", "1e309", "-1E+400", "1e-400", "123456789012345678901234567890", "true", "null", "[]",
    "{}", "\"\"", "\"x\"", "[1,[2,{\"phone\":\"13700000000\"}]]", "{\"phone\":1,\"phone\":2}", "{\"token\":\"u\"}",
    "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"\\/\"", "\"\\x41\"", "'x'", "NaN",
    "Infinity", "undefined", "01", "1.", ".5", "[1,]", "{\"a\":1,}", "/**/1", "\"\u{2028}\"", "\"\t\"",
    "\"\u{fffe}\"",
];

/// Keys of other fields.
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

/// Bytes with a meaning to some reader.
#[rustfmt::skip]
pub(crate) const BYTES: &[u8] =
    b"\"\\{}[]:,&=;%+?#. _-/*'<>0123456789eEtfnu\0\t\n\r\x0b\x0c\x1f\x7f\x80\xa0\xbf\xc0\xe2\xed\xef\xf0\xfe\xff";

/// How clients and attackers write the type of JSON. In each of these lists the first one is the plain one.
#[rustfmt::skip]
pub(crate) const JSON_TYPES: &[&str] = &[
    "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json; charset=utf8",
    "application/json; charset=\"utf-8\"", "application/json;", "Application/JSON", "application/json ; charset=utf-8",
    "application/json; charset=gbk", "application/json; charset=utf-8; charset=utf-7", "application/json; charset*=utf-8''gbk",
    "application/vnd.api+json", "text/json", "application/json;v=2", "application/jsonx", "application/json+x",
    "text/plain", "application/x-www-form-urlencoded+json", "multipart/form-data+json", "application/grpc+json",
    "application/json, application/x-www-form-urlencoded", "application/json; boundary=b",
    "application/json; a=multipart/form-data; boundary=b", "*/*", "", "application/problem+json; charset=utf-8",
    "application/json\t", "application/json; a=application/x-www-form-urlencoded",
];

#[rustfmt::skip]
pub(crate) const FORM_TYPES: &[&str] = &[
    "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8",
    "application/x-www-form-urlencoded;charset=UTF-8", "application/x-www-form-urlencoded; charset=\"utf8\"",
    "application/x-www-form-urlencoded;", "APPLICATION/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded; a=+json",
    "application/x-www-form-urlencoded; a=/json", "application/x-www-form-urlencoded+json", "application/x-www-form-urlencodedx",
    "application/x-www-form-urlencoded; charset=gbk", "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded, application/json", "application/x-www-form-urlencoded; boundary=b",
    "text/x-www-form-urlencoded", "application/x-www-form-urlencoded\t;",
];

#[rustfmt::skip]
pub(crate) const MULTIPART_TYPES: &[&str] = &[
    "multipart/form-data; boundary=b", "multipart/form-data; boundary=\"b\"", "multipart/form-data;boundary=b",
    "Multipart/Form-Data; Boundary=b", "multipart/form-data; charset=utf-8; boundary=b", "multipart/form-data; boundary=b;",
    "multipart/form-data; boundary=b; boundary=c", "multipart/form-data; boundary=b; a=+json", "multipart/form-data",
    "multipart/form-data; boundary=b, application/json", "multipart/form-data; boundary=\"b;c\"", "multipart/mixed; boundary=b",
    "multipart/form-data+json; boundary=b", "multipart/form-data; xboundary=c; boundary=b", "multipart/form-data; boundary=b c",
    "multipart/form-data; boundary*=utf-8''c; boundary=b", "multipart/form-datax; boundary=b", "multipart/form-data; boundary=b; charset=gbk",
    "multipart/form-data; boundary=bb", "multipart/form-data; boundary='b'",
];

#[rustfmt::skip]
pub(crate) const GRPC_TYPES: &[&str] = &[
    "application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc; a=+json",
    "application/grpc-web", "application/grpcx", "Application/gRPC", "application/grpc;",
];

/// What separates pairs, or parts of a pair, to some form reader.
#[rustfmt::skip]
pub(crate) const SEPARATORS: &[&str] = &["&", "&", "&", ";", "&&", "&amp;", "&+", "& ", "&?", "&%00", "&x=1&", "\r\n&", "&\\u0000"];

/// How the phone's name is written where it must not be. `@` is the name.
#[rustfmt::skip]
pub(crate) const PLACES: &[&str] = &[
    "@", "@", "@", "model.@", "session[@]", "auth[@]", "a.b.@", "x:@", "@[]", "@[0]", "[@]", "@.x", "model[@", "auth.@", "@_", "+@",
    "%20@", "@%00", "@%5B%5D", "model%2E@", "x%5B@%5D", "@+",
];
