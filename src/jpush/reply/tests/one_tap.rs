use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeySize, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

struct Developer {
    pem: String,
    public: PublicEncryptingKey,
}

impl Developer {
    fn new() -> Self {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&private).unwrap();
        let pem = pem("PRIVATE KEY", der.as_ref());
        Self { pem, public: private.public_key() }
    }

    fn key(&self) -> OneTapKey {
        OneTapKey::from_text(&self.pem).unwrap()
    }

    fn seal(&self, plain: &[u8]) -> String {
        let public = Pkcs1PublicEncryptingKey::new(self.public.clone()).unwrap();
        let mut sealed = vec![0; public.ciphertext_size()];
        STANDARD.encode(public.encrypt(plain, &mut sealed).unwrap())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn verdict_of(sealed: &str, key: Option<&OneTapKey>) -> Verdict {
    let body = format!(r#"{{"id":1,"code":8000,"content":"get phone success","phone":{sealed}}}"#);
    judge(&Check::one_tap("token"), StatusCode::OK, body.as_bytes(), key).unwrap().verdict
}

#[test]
fn the_phone_inside_is_the_verdicts() {
    let developer = Developer::new();
    let key = developer.key();
    let sealed = developer.seal(b"15813554612");
    let verdict = verdict_of(&format!("\"{sealed}\""), Some(&key));
    assert_eq!((verdict.class(), verdict.phone()), (Class::Passed, Phone::parse("15813554612")));
    assert_eq!(verdict.risk(), &Risk::NotAsked);

    let (head, tail) = sealed.split_at(76);
    let verdict = verdict_of(&format!(r#""{head}\r\n{tail}\r\n""#), Some(&key));
    assert_eq!(verdict.class(), Class::Passed);
}

#[test]
fn a_score_at_the_old_place_is_its_risk() {
    let developer = Developer::new();
    let sealed = developer.seal(b"15813554612");
    for (score, risk) in [("450", known(450)), ("\"no score\"", Risk::Unknown)] {
        let body = format!(r#"{{"id":1,"code":8000,"phone":"{sealed}","score":{score}}}"#);
        let judged = judge(&Check::one_tap("token"), StatusCode::OK, body.as_bytes(), Some(&developer.key())).unwrap();
        assert_eq!((judged.verdict.class(), judged.verdict.risk()), (Class::Passed, &risk), "{score}");
    }
}

#[test]
fn a_pass_without_a_readable_phone_is_a_wrong_set_up_and_no_pass() {
    let (developer, stranger) = (Developer::new(), Developer::new());
    let key = developer.key();
    for phone in [
        "null".to_owned(),
        r#""""#.to_owned(),
        r#""15813554612""#.to_owned(),
        "15813554612".to_owned(),
        r#""not base64 at all!""#.to_owned(),
        format!("\"{}\"", STANDARD.encode([7; 256])),
        format!("\"{}\"", stranger.seal(b"15813554612")),
        format!("\"{}\"", developer.seal(b"")),
        format!("\"{}\"", developer.seal(b"+8615813554612")),
        format!("\"{}\"", developer.seal(b"\xff5813554612")),
        format!("\" {}\"", developer.seal(b"15813554612")),
        format!("\"{}\"", developer.seal(b"15813554612").replace('=', "")),
    ] {
        let verdict = verdict_of(&phone, Some(&key));
        assert_eq!((verdict.class(), verdict.phone()), (Class::Misconfigured, None), "{phone}");
    }
    let sealed = format!("\"{}\"", developer.seal(b"15813554612"));
    assert_eq!(verdict_of(&sealed, None).class(), Class::Misconfigured);
}

#[test]
fn both_pem_forms_are_read_and_nothing_else() {
    let developer = Developer::new();
    let pkcs8 = STANDARD.decode(developer.pem.lines().nth(1).unwrap()).unwrap();
    // The PKCS#1 key is the octet string that PKCS#8 ends with; for 2048 bits it begins after 26 bytes.
    let pkcs1 = pem("RSA PRIVATE KEY", &pkcs8[26..]);
    let sealed = developer.seal(b"15813554612");
    assert_eq!(OneTapKey::from_text(&pkcs1).unwrap().open(&sealed), Phone::parse("15813554612"));

    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for canary in ["", "canary", &pem("PRIVATE KEY", b"canary"), &pem("PUBLIC KEY", b"canary"), &elliptic] {
        let error = OneTapKey::from_text(canary).unwrap_err();
        assert_eq!(error.setting(), "one_tap_key");
        assert!(!error.to_string().contains("canary"));
    }
}
