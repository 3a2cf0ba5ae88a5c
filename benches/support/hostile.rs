//! Paths that were made to cost much: a corpus, and changes that may make a path worse.

use std::iter;

use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::service::TowerToHyperService;
use tower::Layer;
use tower_jverify::{ForeignBackend, JVerifyLayer, Rule, number};

use super::{
    parts::{application, verifier},
    random::Random,
};

/// How many sets of rules there are.
pub(crate) const RULES: usize = 5;

/// What is odd in a path to some reader, and what leads a reader to a rule.
const PIECES: [&str; 112] = [
    "/",
    "//",
    "/./",
    "/../",
    "/%2e/",
    "/%2e%2e/",
    ";",
    ";a=1",
    "/;a",
    ";/",
    "%",
    "%2",
    "%25",
    "%2525",
    "%252f",
    "%2f",
    "%5c",
    "%00",
    "%01",
    "%7f",
    "%c0%af",
    "%c1%ac",
    "%e0%80%af",
    "%f0%80%80%af",
    "%ff",
    "%fe%41",
    "%u0066",
    "%u002f",
    "%ud800",
    "%3f",
    "%23",
    "é",
    "ß",
    "ẞ",
    "İ",
    "ﬁ",
    "ſ",
    "ｌ",
    "／",
    "．",
    "登",
    "П",
    "п",
    "🙂",
    "\u{ad}",
    "\u{200b}",
    "\u{1e98}",
    "%C3%9F",
    "%D0%9F",
    "%E7%99%BB",
    "%20",
    "%20a",
    "/%20",
    "+",
    "a",
    "A",
    "/a",
    "/A",
    "l",
    "/login",
    "/login;",
    "login",
    "/v1",
    "/index.php",
    "/a.php",
    "/index",
    "/public",
    "/x.y",
    "!",
    "!a",
    "/!",
    "/(",
    "(",
    "/(S(a))",
    "/(a(",
    "/(S(a",
    "a(b)",
    "(a)",
    "/:x",
    ":",
    "a.",
    "/a.b",
    ".",
    "..",
    "...",
    "&",
    "=",
    "~",
    "{",
    "/{",
    "%6C",
    "%4c",
    "%25256C",
    "%c3",
    "%e7%99",
    "%%36c",
    "%u",
    "/%",
    "%41",
    "/%41",
    "%2e",
    "a%2e",
    "%3b",
    "/x;y%3b",
    "/v1/a/login",
    "/tenants/0007/a/login",
    "/tenants",
    "/auth",
    "/x",
    "/%2e;",
    "/default.aspx",
    "/cgi-bin",
];

/// Where a piece is put, repeated.
const FRAMES: [&str; 12] = [
    "/{}",
    "/login{}",
    "/{}/login",
    "/login/{}",
    "/v1/{}/login",
    "/v1/a/login{}",
    "/auth/{}%41",
    "/tenants/0007/{}/login",
    "/%41{}/login",
    "/login{}%41",
    "//h{}/login",
    "/..{}/login",
];

/// The same in routing parameters.
const QUERIES: [&str; 6] =
    ["/?s={}", "/?s=/login{}", "/x?r={}/login", "/?%73=login/{}", "/login?s=/login{}", "/?q=/{}"];

const LENGTHS: [usize; 9] = [1, 10, 20, 40, 100, 300, 1_000, 3_000, 8_100];

/// Every piece in every frame, of every length.
pub(crate) struct Corpus;

impl Corpus {
    pub(crate) fn uris(rules: usize, foreign: bool, longest: usize) -> impl Iterator<Item = String> {
        let queries = if foreign { QUERIES.as_slice() } else { &[] };
        let frames = FRAMES.iter().chain(queries);
        let places = frames.flat_map(|frame| LENGTHS.map(|length| (*frame, length)));
        let all = places.flat_map(|(frame, length)| PIECES.map(|piece| (frame, length, piece)));
        let many = iter::once(pairs(rules, longest)).filter(move |_| foreign);
        let all = all.map(|(frame, length, piece)| frame.replace("{}", &piece.repeat((length / piece.len()).max(1))));
        many.chain(all.filter(move |uri| uri.len() <= longest))
    }
}

/// Many short routing parameters.
fn pairs(seed: usize, longest: usize) -> String {
    let pair = ["s=1&", "r=login&", "%73=/x&", "s=%2e%2e/&", "q=/a&"].get(seed % 5).copied().unwrap_or_default();
    format!("/?{}", pair.repeat(longest / pair.len() - 1))
}

/// A layer with some rules, asked for these. `next` is called before each.
pub(crate) async fn asked(rules: usize, foreign: bool, method: &Method, uris: Vec<Uri>, next: impl Fn(usize)) {
    let many: Vec<String> = (0..100).map(|at| format!("/tenants/{at:04}/{{x}}/login")).collect();
    let paths: Vec<&str> = match rules {
        0 => vec!["/login"],
        1 => vec!["/login", "/v1/{tenant}/login", "/auth/{*rest}"],
        2 => many.iter().map(String::as_str).collect(),
        3 => vec!["/登录", "/Émile/{x}/Login", "/login"],
        _ => vec!["/", "/{a}", "/{a}/login", "/x/{*rest}"],
    };
    let mut builder = JVerifyLayer::builder(verifier());
    for path in paths {
        builder = builder.rule(Rule::post(path, number()));
    }
    if foreign {
        builder = builder.foreign_backend(ForeignBackend::any());
    }
    let layer = builder.build().expect("rules are valid");
    let service = TowerToHyperService::new(layer.layer(application()));
    for (at, uri) in uris.into_iter().enumerate() {
        let request = Request::builder().method(method).uri(uri).body(Full::default()).expect("a URI is valid");
        next(at);
        let Ok(response) = hyper::service::Service::call(&service, request).await;
        drop(response.into_body().collect().await);
    }
}

/// Less than this, or 0.
pub(crate) fn below(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.below(u64::try_from(end).unwrap_or(1))).unwrap_or(0)
}

/// The URI with up to three changes.
pub(crate) fn changed(random: &mut Random, uri: &str, foreign: bool) -> String {
    let mut uri = uri.to_owned();
    for _ in 0..=below(random, 3) {
        let starts: Vec<usize> = uri.char_indices().map(|(at, _)| at).skip(1).chain([uri.len()]).collect();
        let mut place = || starts.get(below(random, starts.len())).copied().unwrap_or(uri.len());
        let (one, other) = (place(), place());
        let (from, to) = (one.min(other), one.max(other));
        let piece = PIECES.get(below(random, PIECES.len())).copied().unwrap_or("/");
        match below(random, 7) {
            0 | 1 => uri.insert_str(from, piece),
            2 => uri.insert_str(from, &piece.repeat(1 + below(random, 20))),
            3 => uri.truncate(to),
            4 if to - from <= 400 => uri.replace_range(from..to, ""),
            5 => {
                let copy = uri.get(from..to).unwrap_or_default().to_owned();
                uri.insert_str(to, &copy);
            }
            6 if foreign && !uri.contains('?') => uri.push_str("?s=/login"),
            _ => uri.push_str(piece),
        }
        if !uri.is_char_boundary(uri.len()) || !uri.starts_with('/') {
            uri.insert(0, '/');
        }
    }
    uri
}
