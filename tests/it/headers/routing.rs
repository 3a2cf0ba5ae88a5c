//! In front of a foreign backend: headers that name another path, prefix or method, and HTTP/2 upgrades.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{ForeignBackend, Rule, number};

use crate::support::{Guarded, LOGIN, Verifier, builder, code, post_json};

/// Names of each row of the documentation's table.
const ROUTING: [&str; 56] = [
    "SCRIPT_NAME",
    "PATH_INFO",
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-Rewrite-URI",
    "X-Forwarded-Prefix",
    "X-Forwarded-Path",
    "X-Forwarded-URI",
    "X-Script-Name",
    "X-Envoy-Original-Path",
    "X-Waws-Unencoded-URL",
    "X-MS-Original-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "PATH_TRANSLATED",
    "REQUEST_URI",
    "REQUEST_METHOD",
    "QUERY_STRING",
    "X-Forwarded-URL",
    "X-Forwarded-Method",
    "X-Forwarded-PathBase",
    "X-Original-Path",
    "X-Original-Method",
    "X-Replaced-Path",
    "X-Request-URI",
    "X-Envoy-Original-URL",
    "X-HTTP-DestinationURL",
    "X-HTTP-Verb-Override",
    "X-Traversal-Path",
    "X-Matched-Path",
    "X-Invoke-Path",
    "X-Invoke-Output",
    "X-Invoke-Query",
    "X-Now-Route-Matches",
    "X-PathInfo",
    "X-ScriptName",
    "X-Route-Prefix",
    "X-Vhm-Root",
    "X-Vhm-Host",
    "X-Astro-Path",
    "X-Path-Info",
    "X-Original-Request-URI",
    "X-Original-Request-URL",
    "X-Forwarded-Base-Path",
    "X-Forwarded-BasePath",
    "X-Request-Method",
    "XAJP-Path-Info",
    "X-Netlify-Original-Pathname",
    "X-Vercel-Matched-Path",
    "X-Real-Path",
    "X-Request-Base",
    "X-Proxy-Path",
    "X-Base-Path",
    "X-Forwarded-Root",
];

pub(super) fn before(backend: ForeignBackend) -> Guarded {
    Guarded::with(|verifier| {
        builder(verifier).rule(Rule::post("/login", number())).foreign_backend(backend).build().unwrap()
    })
}

/// What a CGI-style server takes for the same name.
fn spellings(name: &str) -> Vec<String> {
    let with = |separator: &str| name.to_ascii_lowercase().replace(['-', '_'], separator);
    let mixed: String = with("-").char_indices().map(|(at, c)| if c == '-' && at % 2 == 0 { '_' } else { c }).collect();
    vec![with("-"), with("_"), with("."), with("~"), name.to_ascii_uppercase(), mixed]
}

/// The lines that reached the application, without those of the request itself.
async fn passed_on(guarded: &Guarded, path: &str, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut request = post_json(path, LOGIN);
    request.headers_mut().clear();
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let response = guarded.send(request).await;
    assert_eq!(response.status(), 200, "{path} {headers:?}: {}", code(&response));
    let headers = guarded.application.last().parts.headers;
    let own = |name: &HeaderName| name.as_str().starts_with("x-jverify-") || name == "content-type";
    let others = headers.iter().filter(|(name, _)| !own(name));
    others.map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned())).collect()
}

fn lines(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn every_header_that_names_another_path_or_method_is_removed_in_every_spelling() {
    let guarded = before(ForeignBackend::any());
    for name in ROUTING.iter().flat_map(|name| spellings(name)) {
        for path in ["/login", "/zz/login"] {
            let left = passed_on(&guarded, path, &[("b", "1"), (&name, "/zz"), ("a", "2"), ("b", "3")]).await;
            assert_eq!(left, lines(&[("b", "1"), ("b", "3"), ("a", "2")]), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn headers_that_only_look_alike_stay() {
    let guarded = before(ForeignBackend::any());
    for name in [
        "x-forwarded-for",
        "x-request-id",
        "x-original-to",
        "script-names",
        "x-script-name-2",
        "referer",
        "path",
        "url",
    ] {
        for path in ["/login", "/other"] {
            assert_eq!(passed_on(&guarded, path, &[(name, "/zz")]).await, lines(&[(name, "/zz")]), "{path}");
        }
    }
}

#[tokio::test]
async fn a_host_or_scheme_that_makes_another_path_of_the_url_is_removed_in_every_spelling() {
    let guarded = before(ForeignBackend::any());
    for (name, value) in [
        ("host", "a/login?"),
        ("host", "a:80/login#"),
        ("host", "a\\login?"),
        ("host", "a?"),
        ("host", "a, b/login?"),
        ("host", "a, b"),
        ("host", "a%76%31"),
        ("host", "a:v1"),
        ("host", ""),
        ("X-Forwarded-Host", ""),
        ("X-Forwarded-Host", ", a"),
        ("X-Forwarded-Host", "a, %76%31"),
        ("X-Forwarded-Host", "a/login?"),
        ("X-Forwarded-Server", "a/login?"),
        ("X-Original-Host", "a/login?"),
        ("X-Forwarded-Port", "80/login?"),
        ("X-Forwarded-Port", "v1"),
        ("X-Original-Port", "80v1"),
        ("X-Original-Scheme", "http://a/login?"),
        ("X-Forwarded-Hostname", "a/login?"),
        ("X-Real-Host", "a/login?"),
        ("Disguised-Host", "a/login?"),
        ("X-AppService-Proto", "http:a"),
        ("X-Forwarded-Proto", "http://a/login?"),
        ("X-Forwarded-Proto", "x:/login?"),
        ("X-Forwarded-Proto", "http:a"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Proto", "file"),
        ("X-Forwarded-Proto", ""),
        ("X-Forwarded-Protocol", "https, 1"),
        ("Forwarded", "for=1.2.3.4;proto=javascript"),
        ("X-Forwarded-Scheme", "http:a"),
        ("Forwarded", "for=1.2.3.4;host=\"a/login?\""),
        ("Forwarded", "for=1.2.3.4;Proto=http:a"),
    ] {
        for name in spellings(name) {
            for path in ["/login", "/other"] {
                let left = passed_on(&guarded, path, &[("b", "1"), (&name, value), ("a", "2")]).await;
                assert_eq!(left, lines(&[("b", "1"), ("a", "2")]), "{path} {name}: {value}");
                let is_scheme = ["proto", "scheme"].iter().any(|word| name.to_ascii_lowercase().contains(word));
                let plain = if is_scheme { "https" } else { "1" };
                let twice = [("b", "1"), (&*name, plain), (&*name, value), ("a", "2")];
                let left = passed_on(&guarded, path, &twice).await;
                let one = name.to_ascii_lowercase();
                assert_eq!(left, lines(&[("b", "1"), (&one, plain), ("a", "2")]), "{path} {name}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn a_host_a_scheme_and_a_port_stay() {
    let guarded = before(ForeignBackend::any());
    let sent = [
        ("host", "login.example:8080"),
        ("forwarded", "for=\"[2001:db8::1]:47011\";proto=https;by=_proxy-1, for=unknown;host=\"a.example:80\""),
        ("x-forwarded-for", "1.2.3.4, 2001:db8::1"),
        ("x-forwarded-host", "a.example, [::1]:80"),
        ("x-forwarded-proto", "https,http"),
        ("x-forwarded-port", "443"),
    ];
    for path in ["/login", "/other"] {
        assert_eq!(passed_on(&guarded, path, &sent).await, lines(&sent), "{path}");
    }
    let off = before(ForeignBackend::any().without_routing_headers());
    assert_eq!(passed_on(&off, "/other", &[("host", "a/login?")]).await, lines(&[("host", "a/login?")]));
}

/// Puma before 6.4.3 reads `Transfer_Encoding`, and then the next request as the body of this one.
#[tokio::test]
async fn a_header_that_says_where_the_body_ends_is_removed_in_each_spelling_that_http_does_not_read() {
    let guarded = before(ForeignBackend::any());
    let off = before(ForeignBackend::any().without_routing_headers());
    for (name, value) in [("content-length", LOGIN.len().to_string()), ("transfer-encoding", "chunked".to_owned())] {
        for path in ["/login", "/other"] {
            for spelling in spellings(name).iter().filter(|spelling| !spelling.eq_ignore_ascii_case(name)) {
                let sent = [("b", "1"), (&**spelling, &*value), ("a", "2")];
                assert_eq!(passed_on(&guarded, path, &sent).await, lines(&[("b", "1"), ("a", "2")]), "{spelling}");
                assert_eq!(passed_on(&off, path, &sent).await.len(), 3, "{spelling}");
            }
            let own = [(name, &*value), ("content-lengths", "1"), ("x-transfer-encoding", "chunked")];
            assert_eq!(passed_on(&guarded, path, &own).await, lines(&own), "{path}");
        }
    }
}

#[tokio::test]
async fn a_host_of_the_uri_that_is_more_than_a_host_is_removed() {
    let uri_of = async |guarded: &Guarded, uri: &str| {
        let mut request = post_json(uri, LOGIN);
        *request.version_mut() = http::Version::HTTP_2;
        assert_eq!(guarded.send(request).await.status(), 200, "{uri}");
        guarded.application.last().parts.uri.to_string()
    };
    let (any, off) = (before(ForeignBackend::any()), before(ForeignBackend::any().without_routing_headers()));
    for path in ["/login", "/other?a=1"] {
        for host in ["a:v1", "a:80:v1", "a;v1", "a,b", "a~v1", "user@a", "a%76@b", "[::1]v1", "a!", "'a'"] {
            let uri = format!("https://{host}{path}");
            if uri.parse::<http::Uri>().is_err() {
                continue;
            }
            assert_eq!(uri_of(&any, &uri).await, path, "{uri}");
            assert_eq!(uri_of(&off, &uri).await, uri);
        }
        assert_eq!(uri_of(&any, "https://a:v1").await, "/");
        // With this scheme the host is a part of the path to Node's `url.parse`.
        for scheme in ["javascript", "file", "a"] {
            assert_eq!(uri_of(&any, &format!("{scheme}://v1{path}")).await, path, "{scheme}");
        }
        assert_eq!(uri_of(&any, &format!("wss://v1{path}")).await, format!("wss://v1{path}"));
        for host in ["a", "login.example:8443", "127.0.0.1:3000", "[::1]:80"] {
            let uri = format!("https://{host}{path}");
            assert_eq!(uri_of(&any, &uri).await, uri);
        }
    }
}

#[tokio::test]
async fn without_the_backend_or_the_class_they_stay() {
    for guarded in
        [before(ForeignBackend::any().without_routing_headers()), Guarded::by([Rule::post("/login", number())])]
    {
        for path in ["/login", "/zz/login"] {
            let left = passed_on(&guarded, path, &[("script_name", "/zz"), ("x-http-method", "PUT")]).await;
            assert_eq!(left, lines(&[("script_name", "/zz"), ("x-http-method", "PUT")]), "{path}");
        }
    }
}

#[tokio::test]
async fn a_header_that_a_trusted_proxy_sets_is_kept_and_no_other() {
    let guarded = before(ForeignBackend::any().keep_header("x_forwarded_prefix").keep_header("X-HTTP-Method-Override"));
    let sent = [("x-forwarded-prefix", "/shop"), ("x-http-method-override", "PUT"), ("x-script-name", "/zz")];
    let left = passed_on(&guarded, "/other", &sent).await;
    assert_eq!(left, lines(&[("x-forwarded-prefix", "/shop"), ("x-http-method-override", "PUT")]));
    // On a guarded path a header that names a method is removed all the same.
    assert_eq!(passed_on(&guarded, "/login", &sent).await, lines(&[("x-forwarded-prefix", "/shop")]));
    let page = Request::get("/login").header("x-http-method-override", "POST").header("a", "1");
    let seen = guarded.leaves_alone(page.body(Full::<bytes::Bytes>::default()).unwrap(), "a page").await;
    assert_eq!(seen.parts.headers.keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn a_client_cannot_send_a_kept_header_in_a_spelling_that_the_proxy_does_not_set() {
    for name in ["X-Forwarded-Prefix", "SCRIPT_NAME"] {
        let guarded = before(ForeignBackend::any().keep_header(name));
        let own = name.to_ascii_lowercase();
        let mut sent: Vec<(String, &str)> = spellings(name).into_iter().map(|name| (name, "/zz")).collect();
        sent.retain(|(spelling, _)| !spelling.eq_ignore_ascii_case(name));
        sent.push((own.clone(), "/shop"));
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (&**name, *value)).collect();
        for path in ["/login", "/other"] {
            assert_eq!(passed_on(&guarded, path, &sent).await, lines(&[(&own, "/shop")]), "{path}");
        }
    }
}

#[test]
fn a_header_to_keep_is_one_of_the_list() {
    for name in ["x-other", "", "x-forwarded-for", "x-jverify-decision", "host"] {
        let built = builder(&Verifier::passing())
            .rule(Rule::post("/login", number()))
            .foreign_backend(ForeignBackend::any().keep_header(name))
            .build();
        let error = built.unwrap_err();
        assert_eq!((error.setting(), error.value()), ("foreign_backend.keep_header", Some(name)));
    }
}

#[test]
fn a_proof_in_a_header_that_is_removed_is_refused_when_the_layer_is_built() {
    let field = |name: &str| tower_jverify::Field::header(name);
    let build = |name: &str, backend| {
        let rule = Rule::post("/login", number().token(field(name)).phone(field("x-phone")));
        builder(&Verifier::passing()).rule(rule).foreign_backend(backend).build().map(|_| ())
    };
    assert_eq!(build("x-script-name", ForeignBackend::any()).unwrap_err().setting(), "field");
    assert_eq!(build("x.request_uri", ForeignBackend::any()).unwrap_err().setting(), "field");
    build("x-script-name", ForeignBackend::any().without_routing_headers()).unwrap();
    build("x-token", ForeignBackend::any()).unwrap();
}

#[tokio::test]
async fn connection_loses_such_words_too() {
    let guarded = before(ForeignBackend::any().keep_header("x-forwarded-prefix"));
    for path in ["/login", "/other"] {
        for (came, left) in [
            (&["script_name, keep-alive"][..], &[("connection", "keep-alive")][..]),
            (&["X-Forwarded-Prefix", "close"], &[("connection", "close")]),
            (&["X_Original.Url"], &[]),
            (&["HTTP2-Settings, close"], &[("connection", "close")]),
            (&["Upgrade, HTTP2_Settings"], &[]),
            (&["Close,  x-other"], &[("connection", "Close,  x-other")]),
        ] {
            let came: Vec<_> = came.iter().map(|value| ("connection", *value)).collect();
            assert_eq!(passed_on(&guarded, path, &came).await, lines(left), "{path} {came:?}");
        }
    }
}

#[tokio::test]
async fn an_upgrade_to_http2_is_removed_and_the_request_is_read() {
    let guarded = before(ForeignBackend::any());
    for path in ["/login", "/other"] {
        for protocols in ["h2c", "H2C", "h2c, HTTP/2.0", "h2c-14", "h2", "HTTP/2.0", " h2c\t,h2c", "h2c h2c"] {
            let sent = [
                ("upgrade", protocols),
                ("http2-settings", "AAMAAABkAAQAAP__"),
                ("connection", "Upgrade, HTTP2-Settings"),
                ("a", "1"),
            ];
            assert_eq!(passed_on(&guarded, path, &sent).await, lines(&[("a", "1")]), "{path} {protocols}");
        }
        for settings in ["HTTP2-Settings", "http2_settings", "HTTP2.Settings"] {
            assert_eq!(passed_on(&guarded, path, &[(settings, "AAMAAABk")]).await, [], "{path} {settings}");
        }
    }
    // What is not for HTTP/2 stays, where no rule guards.
    let sent = [("upgrade", "websocket, h2c"), ("connection", "Upgrade, HTTP2-Settings, keep-alive")];
    let left = passed_on(&guarded, "/other", &sent).await;
    assert_eq!(left, lines(&[("upgrade", "websocket"), ("connection", "Upgrade, keep-alive")]));
    let sent = [("upgrade", "websocket"), ("connection", "Upgrade")];
    assert_eq!(passed_on(&guarded, "/other", &sent).await, lines(&sent));
}

#[tokio::test]
async fn an_upgrade_stays_without_the_class_and_on_a_guarded_path_http2_is_ignored_and_the_rest_refused() {
    let guarded = before(ForeignBackend::any().without_h2c());
    let sent = [("upgrade", "h2c"), ("http2-settings", "AAMAAABk"), ("connection", "Upgrade, HTTP2-Settings")];
    assert_eq!(passed_on(&guarded, "/other", &sent).await, lines(&sent));
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert("upgrade", "h2c".parse().unwrap());
    assert!(!guarded.verifies(request, "h2c").await.parts.headers.contains_key("upgrade"));
    let guarded = before(ForeignBackend::any());
    for protocols in ["websocket", "websocket, h2c"] {
        let mut request = post_json("/login", LOGIN);
        request.headers_mut().insert("upgrade", protocols.parse().unwrap());
        guarded.refuses(request, "upgrade_refused", protocols).await;
    }
}

#[tokio::test]
async fn trailers_bring_no_such_header_either() {
    let guarded = before(ForeignBackend::any().keep_header("x-forwarded-prefix"));
    for path in ["/login", "/other"] {
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "script_name", "x-forwarded-prefix", "http2-settings", "x-http-method-override"] {
            trailers.append(name, HeaderValue::from_static("1"));
        }
        let frames = [Frame::data(bytes::Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(trailers)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
        let request = Request::post(path).header("content-type", "application/json").body(body).unwrap();
        assert_eq!(guarded.send(request).await.status(), 200);
        let trailers = guarded.application.last().trailers.unwrap();
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum"], "{path}");
    }
}
