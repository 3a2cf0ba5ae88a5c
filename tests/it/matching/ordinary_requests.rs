//! Requests of ordinary clients pass in front of a foreign backend: 1,000 requests, as their libraries write them.

use axum::{Router, body::Bytes, routing::post};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_jverify::{ForeignBackend, Media, Rule, Verified, number};

use crate::support::{Verifier, builder};

/// What a client writes in its requests.
struct Client {
    headers: &'static [(&'static str, &'static str)],
    json: &'static str,
    form: &'static str,
    boundary: &'static str,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

const CLIENTS: [Client; 12] = [
    // Chrome.
    Client {
        headers: &[
            (
                "user-agent",
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
            ),
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("accept-language", "zh-CN,zh;q=0.9,en;q=0.8"),
            ("sec-fetch-mode", "cors"),
            ("sec-ch-ua", "\"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\""),
            ("origin", "https://app.example"),
            ("referer", "https://app.example/login?next=/home&s=/login"),
            ("cookie", "sid=s%3Aabc.def; _ga=GA1.2.17.42; Hm_lvt_1=17,18; theme={\"a\":1}; phone=13800000000; lang=zh"),
            ("connection", "keep-alive"),
        ],
        json: JSON,
        form: FORM,
        boundary: "----WebKitFormBoundary7MA4YWxkTrZu0gW",
    },
    // Firefox.
    Client {
        headers: &[
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
            ("te", "trailers"),
            ("upgrade-insecure-requests", "1"),
            ("dnt", "1"),
            ("cookie", "mobile=1; token=abc; user.session=1"),
            ("priority", "u=0, i"),
        ],
        json: JSON,
        form: FORM,
        boundary: "----geckoformboundary2a6f4b1c9d8e7f60",
    },
    // curl.
    Client {
        headers: &[("user-agent", "curl/8.11.0"), ("accept", "*/*")],
        json: JSON,
        form: FORM,
        boundary: "------------------------d74496d66958873e",
    },
    // OkHttp.
    Client {
        headers: &[
            ("user-agent", "okhttp/4.12.0"),
            ("accept-encoding", "gzip"),
            ("connection", "Keep-Alive"),
            ("x-request-id", "6f1b"),
        ],
        json: "application/json; charset=utf-8",
        form: FORM,
        boundary: "b9d1f1c4-8a39-4c2f-9f37-0e8e3f1a0c55",
    },
    // NSURLSession, with Alamofire.
    Client {
        headers: &[
            ("user-agent", "App/3.2 (iPhone; iOS 18.1; Scale/3.00)"),
            ("accept-language", "zh-Hans-CN;q=1.0, en-CN;q=0.9"),
            ("accept-encoding", "br;q=1.0, gzip;q=0.9, deflate;q=0.8"),
        ],
        json: JSON,
        form: "application/x-www-form-urlencoded; charset=utf-8",
        boundary: "alamofire.boundary.4f3a2b1c",
    },
    // A WeChat mini program.
    Client {
        headers: &[
            (
                "user-agent",
                "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.53(0x18003531) NetType/WIFI Language/zh_CN",
            ),
            ("referer", "https://servicewechat.com/wx0123456789abcdef/42/page-frame.html"),
            ("x-wx-source", "wx_devtools"),
            ("charset", "utf-8"),
        ],
        json: JSON,
        form: FORM,
        boundary: "----wxmpFormBoundary0123456789",
    },
    // Postman.
    Client {
        headers: &[
            ("user-agent", "PostmanRuntime/7.42.0"),
            ("postman-token", "1e2d3c4b-5a69-4788-8796-a5b4c3d2e1f0"),
            ("cache-control", "no-cache"),
            ("authorization", "Bearer a.b.c"),
        ],
        json: JSON,
        form: FORM,
        boundary: "--------------------------284759102834756019283745",
    },
    // axios.
    Client {
        headers: &[
            ("user-agent", "axios/1.7.9"),
            ("accept", "application/json, text/plain, */*"),
            ("accept-encoding", "gzip, compress, deflate, br"),
            ("x-requested-with", "XMLHttpRequest"),
            ("x-xsrf-token", "e30="),
        ],
        json: JSON,
        form: "application/x-www-form-urlencoded;charset=utf-8",
        boundary: "axios-1.7.9-boundary-XyZ_0123456789abcdef",
    },
    // Python's requests.
    Client {
        headers: &[("user-agent", "python-requests/2.32.3"), ("accept", "*/*"), ("connection", "keep-alive")],
        json: JSON,
        form: FORM,
        boundary: "3f1d5a9b8c7e4f20a1b2c3d4e5f60718",
    },
    // Dart's dio.
    Client {
        headers: &[("user-agent", "Dart/3.5 (dart:io)"), ("x-device-id", "d-1"), ("x-app-version", "3.2.1+45")],
        json: JSON,
        form: FORM,
        boundary: "--dio-boundary-2847561029",
    },
    // Apache HttpClient, behind a load balancer.
    Client {
        headers: &[
            ("user-agent", "Apache-HttpClient/5.4 (Java/21)"),
            ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example"),
            ("x-real-ip", "203.0.113.9"),
            ("via", "1.1 edge"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ],
        json: "application/json; charset=UTF-8",
        form: "application/x-www-form-urlencoded; charset=UTF-8",
        boundary: "httpclient_boundary_-_Qx7",
    },
    // Go.
    Client {
        headers: &[("user-agent", "Go-http-client/2.0"), ("accept-encoding", "gzip")],
        json: JSON,
        form: FORM,
        boundary: "0d5f2b7f3a1c",
    },
];

/// No rule's, with their queries and bodies: method, target, type, body.
const OTHERS: [(&str, &str, &str, &str); 85] = [
    ("GET", "/", "", ""),
    ("HEAD", "/", "", ""),
    ("GET", "/?s=login", "", ""),
    ("GET", "/search?q=login&page=2", "", ""),
    ("GET", "/search?q=%2Flogin", "", ""),
    ("GET", "/search?q=%E7%99%BB%E5%BD%95+%E6%B3%A8%E5%86%8C", "", ""),
    ("GET", "/login", "", ""),
    ("HEAD", "/login", "", ""),
    ("GET", "/login?next=%2Fhome&lang=zh", "", ""),
    ("GET", "/login?token=invitation", "", ""),
    ("GET", "/login?utm_source=wechat&utm_medium=h5&from=timeline&isappinstalled=0", "", ""),
    ("GET", "/login?_rsc=1abc2&json=%7B%22a%22%3A1%7D&kw=%B5%C7%C2%BC&ie=gbk", "", ""),
    ("GET", "/login?s=login&_=1700000000&callback=jQuery341_1", "", ""),
    ("GET", "/login?phone_model=iPhone&scope=openid+phone&action=login", "", ""),
    ("GET", "/?r=/login", "", ""),
    ("GET", "/login.css", "", ""),
    ("HEAD", "/login/logo.png", "", ""),
    ("GET", "/login/index.html", "", ""),
    ("GET", "/public/login", "", ""),
    ("GET", "/src/views/login.vue?t=1700000000", "", ""),
    ("GET", "/_next/static/chunks/app/(auth)/login/page-abc.js", "", ""),
    ("GET", "/_next/data/build123/login.json", "", ""),
    ("GET", "/api/v4/projects/group%2Flogin/issues", "", ""),
    ("GET", "/redirect/https://app.example/login", "", ""),
    ("GET", "/cgi-bin/luci/;stok=abc/login", "", ""),
    ("GET", "/wiki/AC%2FDC", "", ""),
    ("POST", "/track?url=https%3A%2F%2Fapp.example%2Flogin&ref=/login&page=login", "json", "{}"),
    ("GET", "/static/js/app.4f3a2b1c.js", "", ""),
    ("GET", "/static/css/app.css?v=1.2.3", "", ""),
    ("GET", "/favicon.ico", "", ""),
    ("GET", "/apple-touch-icon-120x120-precomposed.png", "", ""),
    ("GET", "/.well-known/apple-app-site-association", "", ""),
    ("GET", "/robots.txt", "", ""),
    ("GET", "/help/login-problems", "", ""),
    ("GET", "/articles/how-to-login.html", "", ""),
    ("GET", "/users/42/posts?page=2&per_page=50&sort=-created_at", "", ""),
    ("GET", "/users/13800000000", "", ""),
    ("GET", "/contacts?phone=13800000000", "", ""),
    ("GET", "/api/v1/users?filter[phone]=138&fields=id,name", "", ""),
    ("GET", "/api/v1/orders?from=2026-01-01T00:00:00%2B08:00&status[]=paid&status[]=sent", "", ""),
    ("GET", "/img?url=https%3A%2F%2Fcdn.example%2Fa%2Fb.png&w=100", "", ""),
    ("GET", "/oauth/authorize?response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Flogin&state=x%3D%3D", "", ""),
    ("GET", "/wx/callback?code=0a1b&state=%2Flogin", "", ""),
    ("GET", "/map?ll=39.9,116.4&z=12", "", ""),
    ("GET", "/%E5%B8%AE%E5%8A%A9/%E5%B8%B8%E8%A7%81%20%E9%97%AE%E9%A2%98", "", ""),
    ("GET", "/a/b/../c", "", ""),
    ("GET", "/a//b/", "", ""),
    ("GET", "/item;v=1?x=1", "", ""),
    ("GET", "/@user/photo~large", "", ""),
    ("GET", "/health?", "", ""),
    ("POST", "/logout", "", ""),
    ("POST", "/login/refresh", "json", r#"{"refresh_token":"r","phone":"13800000000"}"#),
    ("POST", "/users", "json", r#"{"name":"张三","phone":"13800000000","address":{"phone":"010-1"}}"#),
    ("POST", "/users", "form", "name=%E5%BC%A0&phone=13800000000&tags%5B%5D=a&tags%5B%5D=b"),
    ("POST", "/users", "part", "phone"),
    ("POST", "/upload", "part", "file"),
    ("PUT", "/users/42", "json", r#"{"phone":"13800000000","phone":"13800000001"}"#),
    ("PATCH", "/users/42", "application/merge-patch+json", r#"{"phone":null}"#),
    ("PATCH", "/users/42", "application/json-patch+json", r#"[{"op":"replace","path":"/phone","value":"1"}]"#),
    ("DELETE", "/users/42", "", ""),
    ("DELETE", "/users/42", "json", r#"{"reason":"&phone=1"}"#),
    (
        "POST",
        "/graphql",
        "json",
        r#"{"query":"mutation($phone:String!){login(phone:$phone){token}}","variables":{"phone":"1"}}"#,
    ),
    ("POST", "/soap", "text/xml; charset=utf-8", "<s:Envelope><phone>1</phone></s:Envelope>"),
    ("POST", "/notes", "text/plain;charset=UTF-8", "phone=1&token=2; a < b && c > d"),
    ("POST", "/logs", "application/x-ndjson", "{\"a\":1}\n{\"phone\":2}\n"),
    ("POST", "/beacon", "text/plain", "[1,2,3]"),
    ("POST", "/rpc", "application/octet-stream", "\u{1}\u{2}\u{0}"),
    ("POST", "/helloworld.Greeter/SayHello", "application/grpc-web+proto", "\u{0}\u{0}\u{0}\u{0}\u{0}"),
    ("POST", "/search", "form", "q=login&s=/login"),
    ("POST", "/csp-report", "application/csp-report", r#"{"csp-report":{"document-uri":"https://x/login"}}"#),
    ("POST", "/webhook?token=abc&phone=1", "json", r#"{"event":"login","path":"/login"}"#),
    ("POST", "/feedback", "form", "text=my+login+fails+%26+phone%3D1"),
    ("POST", "/empty", "json", ""),
    ("POST", "/broken", "json", "{"),
    ("POST", "/sms/send", "json", r#"{"phone":"13800000000","scene":"login"}"#),
    ("PUT", "/blob/a.b.c", "image/png", "\u{89}PNG"),
    ("PROPFIND", "/dav/", "application/xml", "<propfind/>"),
    ("REPORT", "/dav/cal", "", ""),
    ("POST", "/api/login-logs", "json", r#"{"page":1}"#),
    ("POST", "/v2/signin", "json", r#"{"user":"u","password":"p&phone=1"}"#),
    ("POST", "/auth/token", "form", "grant_type=password&username=13800000000&password=a%26b"),
    ("OPTIONS", "/users", "preflight", ""),
    ("OPTIONS", "/login", "preflight", ""),
    ("OPTIONS", "*", "", ""),
    ("GET", "/ws", "websocket", ""),
];

/// Logins, as applications write them: type, body. Each holds the phone 13812345678 and a token.
const LOGINS: [(&str, &str); 22] = [
    ("json", r#"{"token":"t","phone":"13812345678"}"#),
    ("json", r#"{"phone":13812345678,"token":"STsid0000001542695429579Ob28vB7b0c="}"#),
    ("json", "{\r\n  \"token\": \"t\",\r\n  \"phone\": \"13812345678\"\r\n}\r\n"),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","device":{"os":"iOS 18.1","model":"iPhone14,2","id":"a-b-c"},"agree":true}"#,
    ),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","nick":"张三 & 李四; ok?","ua":"Mozilla/5.0 (X11; Linux; rv:133.0)"}"#,
    ),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","invite":null,"tags":["a","b"],"score":1.5e3,"url":"https://x/?a=1&b=2"}"#,
    ),
    ("json", "{\"token\":\"t\",\"phone\":\"13812345678\",\"html\":\"\\u003cb\\u003e \\\"q\\\" \\n\"}"),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","smartphone":true,"phoneModel":"x","phone_type":1,"tokenType":"x","access_token":"y"}"#,
    ),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","_csrf":"c","__RequestVerificationToken":"CfDJ8_-x","id":12345678901234567890}"#,
    ),
    (
        "json",
        r#"{"token":"t","phone":"13812345678","loc":{"lat":39.90,"acc":1.0E-2},"fcmToken":"x:APA91b","":"","$x":{"@type":"y"}}"#,
    ),
    ("form", "token=t&phone=13812345678"),
    ("form", "token=t&phone=13812345678&__VIEWSTATE=%2FwEPDw%3D%3D&form1:j_idt5=&javax.faces.ViewState=-1%3A2&&a==b&c"),
    (
        "form",
        "token=t&phone=13812345678&g-recaptcha-response=03AG_-x&ts=2026-11-30T11:18:48+08:00&loc=39.9,116.4&phone_model=x",
    ),
    ("form", "token=t&phone=13812345678&contacts[0][mobile]=1&contacts[0][name]=%E5%BC%A0&u=https://x/?a=b&y=!'()*"),
    ("form", "phone=13812345678&token=a%2Bb%2Fc%3D%3D&agree=on&nick=%E5%BC%A0+%E4%B8%89"),
    ("form", "phone=13812345678&token=t&device%5Bos%5D=iOS&device%5Bid%5D=1&tags%5B%5D=a&tags%5B%5D=b"),
    ("form", "utf8=%E2%9C%93&authenticity_token=a%2Fb%3D%3D&phone=13812345678&token=t&commit=Log+in"),
    ("form", "csrfmiddlewaretoken=abc&phone=13812345678&token=t&next=/home?tab=1"),
    ("form", "token=t&phone=13812345678&empty=&x*y=1&z=a:b@c~d"),
    ("part", "phone=13812345678&token=t"),
    ("part", "csrf=x&token=t&phone=13812345678&nick=张三 & 李四"),
    ("part", "token=t&phone=13812345678&file"),
];

/// One body of multipart, of these pairs.
fn parts(boundary: &str, pairs: &str) -> String {
    // Apache's client declares a charset for each text.
    let more = if boundary.starts_with("httpclient") {
        "Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
    } else {
        ""
    };
    let part = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{more}\r\n{value}\r\n")
        }
        None => format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{pair}\"; filename=\"a b.png\"\r\n\
             Content-Type: image/png\r\n\r\n\u{89}PNG\r\n"
        ),
    };
    // `&` with a space behind it is text.
    let pairs = pairs.replace("& ", "\u{0}");
    let all: String = pairs.split('&').map(|pair| part(&pair.replace('\u{0}', "& "))).collect();
    format!("{all}--{boundary}--\r\n")
}

fn request(client: &Client, method: &str, target: &str, kind: &str, body: &str) -> http::Request<Full<Bytes>> {
    let mut request = http::Request::builder().method(method).uri(target).header("host", "app.example");
    for (name, value) in client.headers {
        request = request.header(*name, *value);
    }
    let multipart = format!("multipart/form-data; boundary={}", client.boundary);
    let (media, body) = match kind {
        "json" => (client.json, body.to_owned()),
        "form" => (client.form, body.to_owned()),
        "part" => (multipart.as_str(), parts(client.boundary, body)),
        "" | "preflight" | "websocket" => ("", body.to_owned()),
        other => (other, body.to_owned()),
    };
    if !media.is_empty() {
        request = request.header("content-type", media).header("content-length", body.len());
    }
    match kind {
        "preflight" => {
            request = request
                .header("origin", "https://app.example")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,x-requested-with");
        }
        "websocket" => {
            request = request.header("connection", "Upgrade").header("upgrade", "websocket");
            request =
                request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").header("sec-websocket-version", "13");
        }
        _ => {}
    }
    request.body(Full::new(body.into())).unwrap()
}

async fn login(verified: Verified, body: Bytes) -> Bytes {
    assert_eq!(verified.phone().unwrap().as_str(), "13812345678");
    body
}

async fn others(body: Bytes) -> Bytes {
    body
}

#[tokio::test]
async fn a_thousand_requests_of_ordinary_clients_pass() {
    let verifier = Verifier::passing();
    let rule = Rule::post("/login", number()).accept([Media::Json, Media::Form, Media::Multipart]);
    let layer = builder(&verifier).rule(rule).foreign_backend(ForeignBackend::any()).build().unwrap();
    let router = Router::new().route("/login", post(login).fallback(others)).fallback(others);
    let service = layer.around(router);

    let mut sent = 0;
    let mut calls = 0;
    let logins = LOGINS.iter().map(|(kind, body)| ("POST", "/login?channel=app&v=3.2", *kind, *body));
    for client in &CLIENTS {
        for (method, target, kind, body) in OTHERS.into_iter().chain(logins.clone()) {
            let request = request(client, method, target, kind, body);
            let expected = request.body().clone().collect().await.unwrap().to_bytes();
            let response = service.clone().oneshot(request.map(axum::body::Body::new)).await.unwrap();
            let what = format!("{}: {method} {target} {kind} {body}", client.headers[0].1);
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(status, StatusCode::OK, "{what}: {}", String::from_utf8_lossy(&body));
            assert_eq!(body, expected, "{what}");
            calls += usize::from(method == "POST" && target.starts_with("/login?"));
            assert_eq!(verifier.calls(), calls, "{what}");
            sent += 1;
        }
    }
    assert!(sent >= 1_000 && calls >= 150, "{sent} requests, {calls} logins");
}
