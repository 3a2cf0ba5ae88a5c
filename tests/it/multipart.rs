//! `multipart/form-data`: fields, in the one form that all readers parse alike.

use std::fmt::Write;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use proptest::prelude::*;
use tower_jverify::{Field, Media, Question, Rule, number};

use crate::support::{Guarded, LOGIN, post_json};

const TYPE: &str = "multipart/form-data; boundary=XX";

/// `POST /login` reads a token and a phone out of multipart bodies.
fn guarded() -> Guarded {
    Guarded::by([Rule::post("/login", number()).accept([Media::Multipart, Media::Json])])
}

fn typed(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/login").header("content-type", content_type);
    request.body(Full::new(body.into())).unwrap()
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    typed(TYPE, body)
}

/// A field as browsers write it.
fn field(name: &str, value: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A token, a phone, and what comes after them.
fn login_and(more: &str) -> String {
    format!("{}{}{more}--XX--\r\n", field("token", "t"), field("phone", "13812345678"))
}

/// A token, and the phone in a part with this head.
fn phone_under(head: &str) -> String {
    format!("{}--XX\r\n{head}\r\n\r\n13812345678\r\n--XX--\r\n", field("token", "t"))
}

/// The token and the phone that JPush was asked about last.
fn asked(guarded: &Guarded) -> (String, String) {
    match guarded.verifier.asked().last().unwrap().question() {
        Question::Number { token, phone, .. } => (token.expose().to_owned(), phone.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn multipart_is_read_only_where_it_is_accepted() {
    Guarded::login().refuses(post(login_and("")), "unsupported_media_type", "no setting").await;
    let guarded = guarded();
    guarded.verifies(post_json("/login", LOGIN), "JSON as well").await;
    let nested = number().phone(Field::body("/user/phone"));
    let nested = Guarded::by([Rule::post("/login", nested).accept([Media::Json, Media::Multipart])]);
    nested.refuses(post(login_and("")), "unsupported_media_type", "nested fields").await;
}

#[tokio::test]
async fn fields_are_read_and_the_body_is_passed_on_as_it_came() {
    let guarded = guarded();
    let bodies = [
        login_and(""),
        login_and("").trim_end().to_owned(),
        // An empty preamble.
        format!("\r\n{}", login_and("")),
        login_and(&field("note", "a\r\nb\nc\r--X\r\n--\r\n")),
        login_and(&(field("note", "1") + &field("note", "2"))),
        login_and(&field("", "nameless")),
        login_and(&field("昵称", "你好")),
        login_and(&field("100%", "")),
        login_and(&field("it's", "a; name=\"phone\"")),
        login_and(
            "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;b.png\"\r\nContent-Type: image/png\r\n\r\n\0\r\n",
        ),
        login_and(
            "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n",
        ),
        login_and("--XX\r\nContent-Disposition: form-data; name=f; filename=a; filename*=utf-8''a\r\n\r\n\r\n"),
        login_and(&field("_charset_", "UTF-8")),
        phone_under("Content-Disposition: form-data; name=\"phone\""),
        phone_under("content-disposition:Form-Data;name=phone"),
        phone_under("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=phone"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Type: text/plain"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Transfer-Encoding: 8bit\r\nX-Other: 1"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Type: text/plain; charset=ISO-8859-1"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Type: text/plain; charset=US-ASCII"),
    ];
    for body in bodies {
        assert_eq!(guarded.verifies(post(body.clone()), &body).await.body.unwrap(), body);
        assert_eq!(asked(&guarded), ("t".to_owned(), "13812345678".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_boundary_is_given_once_and_plainly() {
    let guarded = guarded();
    for content_type in [
        "multipart/form-data; boundary=XX",
        "Multipart/Form-Data ; BOUNDARY=\"XX\"",
        "multipart/form-data;charset=utf-8;boundary=XX",
    ] {
        guarded.verifies(typed(content_type, login_and("")), content_type).await;
    }
    let long = format!("multipart/form-data; boundary={}", "X".repeat(71));
    for content_type in [
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=XX; boundary=XX",
        "multipart/form-data; boundary=XX; boundary=YY",
        "multipart/form-data; boundary=YY; Boundary=XX",
        "multipart/form-data; xboundary=YY; boundary=XX",
        "multipart/form-data; x=\"boundary=YY\"; boundary=XX",
        "multipart/form-data; boundary*=utf-8''XX",
        "multipart/form-data; boundary*0=X; boundary*1=X",
        "multipart/form-data; boundary=XX, multipart/form-data; boundary=YY",
        "multipart/form-data; boundary=XX,YY",
        "multipart/form-data; boundary=\"XX",
        "multipart/form-data; boundary=\"X X\"",
        "multipart/form-data; boundary=\"X\\X\"",
        "multipart/form-data; boundary='XX'",
        "multipart/form-data; boundary = XX",
        "multipart/form-data; boundary=XX;",
        "multipart/form-data; boundary=XX; charset=gbk",
        "multipart/form-data; boundary=-",
        "multipart/form-data; boundary=_.",
        "multipart/form-data boundary=XX",
        "multipart/mixed; boundary=XX",
        "multipart/*; boundary=XX",
        &long,
    ] {
        guarded.refuses(typed(content_type, login_and("")), "unsupported_media_type", content_type).await;
    }
}

#[tokio::test]
async fn a_body_that_readers_take_apart_differently_is_refused() {
    let guarded = guarded();
    let whole = login_and("");
    let other = field("phone", "13912345678");
    let bodies = [
        // Ends.
        String::new(),
        whole.replace("--XX--\r\n", ""),
        whole.replace("--XX--", "--XX"),
        whole.replace("--XX--", "--XX-"),
        whole.replace("--XX--", "--YY--"),
        whole.replace("--XX--\r\n", "--XX--\n"),
        whole.clone() + "epilogue",
        whole.clone() + &whole,
        whole.replace("--XX--", "--XX--\r\n\r\n"),
        whole.replace("--XX--", "--XX-- "),
        // Before the first part.
        "preamble\r\n".to_owned() + &whole,
        "\r\n\r\n".to_owned() + &whole,
        "\n".to_owned() + &whole,
        "\r".to_owned() + &whole,
        " \r\n".to_owned() + &whole,
        "\r\n ".to_owned() + &whole,
        "\r\nx\r\n".to_owned() + &whole,
        "--XX--\r\n".to_owned() + &whole,
        other.replace("--XX", "--YY") + &whole,
        // What some take for a boundary, and some for data.
        login_and(&field("note", &format!("a\n{other}"))),
        login_and(&field("note", &format!("a\r{other}"))),
        login_and(&field("note", "a--XX")),
        login_and(&field("note", "\r\n--XXY")),
        login_and(&field("note", "--XX--")),
        whole.replacen("--XX\r\n", "--XX \r\n", 2),
        whole.replacen("--XX\r\n", "--XX\t\r\n", 1),
        whole.replacen("--XX\r\n", "--XX\n", 1),
        whole.replacen("\r\n--XX", "\n--XX", 1),
        whole.replace("\r\n", "\n"),
        whole.replacen("--XX", "---XX", 1),
        // Heads.
        login_and("--XX\r\n\r\nno head\r\n"),
        login_and("--XX\r\n\r\n\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n13912345678\r\n"),
        login_and("--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n"),
        login_and("--XX\r\nContent-Type: text/plain\r\n\r\n1\r\n"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Disposition: form-data; name=\"x\""),
        phone_under("X-Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"phone\""),
        phone_under("Content-Disposition: form-data;name=\"x\"\r\nContent-ID: phone"),
        phone_under("X: content-disposition: form-data; name=\"phone\"\r\nContent-Disposition: form-data; name=\"x\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\ncontent_disposition: form-data; name=\"x\""),
        phone_under("Content-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"phone\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nX: 1\rX: 2"),
        phone_under("Content-Disposition: form-data;\r\n name=\"phone\""),
        phone_under("Content-Disposition : form-data; name=\"phone\""),
        phone_under("Content-Disposition form-data; name=\"phone\""),
        phone_under(" Content-Disposition: form-data; name=\"phone\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nX: \0"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Type: text/plain\r\nContent-Type: x/y"),
        phone_under("Content-Disposition: form-data; name=\"phone\"\r\nContent-Type: multipart/mixed; boundary=YY"),
        // Names.
        phone_under("Content-Disposition: form-data"),
        phone_under("Content-Disposition: form-data; filename=\"phone\""),
        phone_under("Content-Disposition: attachment; name=\"phone\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"; name=\"x\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"; NAME=\"x\""),
        phone_under("Content-Disposition: form-data; name*=utf-8''phone"),
        phone_under("Content-Disposition: form-data; name=\"x\"; name*=utf-8''phone"),
        phone_under("Content-Disposition: form-data; name*0=\"pho\"; name*1=\"ne\""),
        phone_under("Content-Disposition: form-data; name=\"=?utf-8?B?cGhvbmU=?=\""),
        phone_under("Content-Disposition: form-data; name=\"pho\\ne\""),
        phone_under("Content-Disposition: form-data; name=\"x\\\"; name=\\\"phone\""),
        phone_under("Content-Disposition: form-data; name=\"phone"),
        phone_under("Content-Disposition: form-data; name=phone\""),
        phone_under("Content-Disposition: form-data; name='phone' x"),
        phone_under("Content-Disposition: form-data; name='phone'"),
        phone_under("Content-Disposition: form-data; filename=it's; name=\"x\""),
        phone_under("Content-Disposition: form-data; filename*=utf-8'a; name=\"x\""),
        phone_under("Content-Disposition: form-data; name=\"x\"; filename=\"a; name=phone\""),
        phone_under("Content-Disposition: form-data; name=\"x\"; filename=\"a; Name = phone\""),
        phone_under("Content-Disposition: form-data; name = \"phone\""),
        phone_under("Content-Disposition: form-data; name=\"phone\"x"),
        phone_under("Content-Disposition: form-data; name=\"phone\";"),
        phone_under("Content-Disposition: form-data name=\"phone\""),
        phone_under("Content-Disposition: form-data; x=\"name=y\"; name=\"phone\""),
        login_and("--XX\r\nContent-Disposition: form-data; filename=\"a name=phone\"; name=\"x\"\r\n\r\n1\r\n"),
        login_and(&field("_charset_", "utf-7")),
    ];
    for body in bodies {
        guarded.refuses(post(body.clone()), "body_malformed", &body).await;
    }
    guarded
        .refuses(
            post(&b"--XX\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n1\r\n--XX--"[..]),
            "body_malformed",
            "not UTF-8",
        )
        .await;
    guarded.refuses(post("--XX--\r\n"), "proof_missing", "no part").await;
}

#[tokio::test]
async fn a_guarded_part_twice_bent_coded_or_a_file_is_refused() {
    let guarded = guarded();
    let names = [
        "phone",
        "Phone",
        "phone[]",
        "phone[0]",
        "[phone]",
        "phone.x",
        " phone",
        "to\u{212a}en",
        "%70hone",
        "phone%5B%5D",
    ];
    let mut bodies: Vec<String> = names.map(|name| login_and(&field(name, "13912345678"))).into();
    bodies.extend(
        [
            "; filename=\"a.txt\"",
            "; filename=\"\"",
            "; filename*=utf-8''a",
            "\r\nContent-Transfer-Encoding: base64",
            "\r\nContent-Transfer-Encoding: quoted-printable",
            "\r\nContent-Transfer-Encoding: x",
            "\r\nContent-Type: text/plain; charset=gbk",
            "\r\nContent-Type: text/plain; charset=utf-16",
            "\r\nContent-Type: text/plain; charset=utf-8; charset=gbk",
            "\r\nContent-Type: text/plain; charset=iso-8859-1; charset=utf-16",
            "\r\nContent-Type: application/json",
            "\r\nContent-Type: text/html",
        ]
        .map(|more| phone_under(&format!("Content-Disposition: form-data; name=\"phone\"{more}"))),
    );
    bodies.extend(
        [" ", "\r\n", "1381234567\r\n8", "13812345678\0", " 13812345678", "１３８12345678"]
            .map(|phone| format!("{}{}--XX--\r\n", field("token", "t"), field("phone", phone))),
    );
    // axum's `Field::text` leaves the byte order mark out.
    bodies.extend(
        ["\u{feff}", "\u{feff}t"]
            .map(|token| format!("{}{}--XX--\r\n", field("token", token), field("phone", "13812345678"))),
    );
    for body in bodies {
        guarded.refuses(post(body.clone()), "proof_malformed", &body).await;
    }
    // axum's `Field::text` and busboy leave the mark out, and read another token.
    for token in ["\u{feff}", "\u{feff}t", "\u{feff}\u{feff}t"] {
        let marked = format!("{}{}--XX--\r\n", field("token", token), field("phone", "13812345678"));
        guarded.refuses(post(marked.clone()), "proof_malformed", &marked).await;
    }
    // In the charset of the part, this is another token than in UTF-8.
    for charset in ["iso-8859-1", "us-ascii"] {
        let token = format!("name=\"token\"\r\nContent-Type: text/plain; charset={charset}\r\n\r\n\u{e9}\r\n");
        let body =
            format!("--XX\r\nContent-Disposition: form-data; {token}{}--XX--\r\n", field("phone", "13812345678"));
        guarded.refuses(post(body.clone()), "proof_malformed", &body).await;
        guarded.verifies(post(body.replace(charset, "utf-8")), "UTF-8").await;
    }
    let raw = [
        field("phone", "13812345678").as_bytes(),
        field("token", "t").replace("\r\n\r\nt", "\r\n\r\n\u{ff}").as_bytes(),
        b"--XX--",
    ]
    .concat();
    guarded.verifies(post(raw.clone()), "UTF-8").await;
    let raw: Vec<u8> = raw.into_iter().filter(|byte| *byte != 0xc3).collect();
    guarded.refuses(post(raw), "proof_malformed", "not UTF-8").await;
    let half = format!("{}--XX--\r\n", field("token", "t"));
    guarded.refuses(post(half.clone()), "proof_missing", &half).await;
}

#[tokio::test]
async fn a_large_file_is_held_to_the_body_limit() {
    let guarded = guarded();
    let file = |bytes| {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n";
        login_and(&format!("{head}{}\r\n", "-".repeat(bytes)))
    };
    let frame = file(0).len();
    guarded.verifies(post(file(65_536 - frame)), "the limit").await;
    guarded.refuses(post(file(65_537 - frame)), "body_too_large", "one byte more").await;
}

/// A body in the hands of an attacker: pieces of one, put together anyhow.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "--XX",
        "\r\n",
        "\n",
        "\r",
        "--",
        "-",
        " ",
        "Content-Disposition: form-data; name=\"phone\"",
        "\r\n\r\n",
        "Content-Disposition: form-data; name=\"token\"",
        "; name=x",
        "; filename=\"x\"",
        "13812345678",
        "13912345678",
        "t",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_simple_writer_wrote_is_read(
        token in "[!-~][ -~]{0,40}",
        others in prop::collection::vec(("[a-o]{1,8}", "[ -~\r\n]{0,40}"), 0..6),
        boundary in "[-_.A-Za-z0-9]{3,69}[A-Za-z0-9]",
        at in 0..6_usize,
    ) {
        let mut fields = others;
        fields.retain(|(name, value)| !name.starts_with("phone") && !value.contains(&boundary));
        prop_assume!(!token.contains(&boundary));
        fields.insert(at.min(fields.len()), ("token".to_owned(), token.clone()));
        fields.insert((at / 2).min(fields.len()), ("phone".to_owned(), "13812345678".to_owned()));
        let mut body = String::new();
        for (name, value) in fields {
            write!(body, "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
        }
        write!(body, "--{boundary}--\r\n").unwrap();
        // A boundary can also come about where two pieces meet.
        prop_assume!(body.matches(&format!("--{boundary}")).count() == body.matches(&format!("--{boundary}\r\n")).count() + 1);
        let guarded = guarded();
        let request = typed(&format!("multipart/form-data; boundary={boundary}"), body.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(guarded.verifies(request, &body));
        prop_assert_eq!(asked(&guarded), (token, "13812345678".to_owned()));
        prop_assert_eq!(seen.body.unwrap(), body);
    }

    #[test]
    fn however_a_body_is_mangled_one_phone_is_read_or_none(tail in pieces()) {
        let body = format!("{}{tail}", login_and("").trim_end_matches("--XX--\r\n"));
        let guarded = guarded();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let response = runtime.block_on(guarded.send(post(body.clone())));
        if response.status() == 200 {
            prop_assert_eq!(asked(&guarded).1, "13812345678");
            // The lax reading: whatever a line feed ends, whatever starts like a boundary.
            let phones = body.split("--XX").filter(|part| part.contains("name=\"phone\"")).count();
            prop_assert!(phones == 1, "{}", body);
        }
    }
}

#[tokio::test]
async fn a_body_has_at_most_a_thousand_parts() {
    let rule = Rule::post("/login", number()).accept([Media::Multipart]).body_limit(1 << 20);
    let guarded = Guarded::by([rule]);
    guarded.verifies(post(login_and(&field("x", "1").repeat(998))), "1,000 parts").await;
    guarded.refuses(post(login_and(&field("x", "1").repeat(999))), "body_malformed", "1,001 parts").await;
    // Not "the first thousand": the phone comes after them.
    let late = format!("{}{}--XX--\r\n", field("x", "1").repeat(1000), field("phone", "13812345678"));
    guarded.refuses(post(late), "body_malformed", "a phone after a thousand parts").await;
}
