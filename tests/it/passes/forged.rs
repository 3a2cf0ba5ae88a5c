//! Texts that are no pass for this request. Of each, nothing is asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::{Value, json};
use tower_jverify::{ClientIp, DenialReason, Guards, JVerifyLayer, PassKey, Passes, Rule, number};

use super::{Desk, MINUTE, OTHER, PHONE, SECRET, captcha_content, claims, issued, login, passes, solved, verifier};
use crate::support::post_json;

/// RFC 8410, section 10.3, and its public key.
pub(super) const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
const PUBLIC: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

pub(super) fn pkcs8() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(PKCS8).unwrap()
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A text with this header and these claims, signed with a secret.
fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(secret);
    let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &key).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signer.try_sign(message.as_bytes()).unwrap()))
}

fn header() -> Value {
    json!({"typ": "jverify-pass+jwt", "alg": "HS256", "kid": "a"})
}

#[tokio::test]
async fn a_text_of_another_signature_key_or_purpose_is_refused() {
    let desk = Desk::new();
    let pass = desk.earned().await;
    let good = claims(&pass);
    assert_eq!(signed(&header(), &good, SECRET.as_bytes()).len(), pass.len(), "the test writes what the layer writes");
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        header
    };
    let unsigned = |header: &Value| format!("{}.{}.", encoded(header), encoded(&good));
    let (message, signature) = pass.rsplit_once('.').unwrap();
    let forged = [
        ("alg: none", unsigned(&with("alg", json!("none")))),
        ("alg: None", unsigned(&with("alg", json!("None")))),
        ("no signature", unsigned(&header())),
        ("alg: none, signed", signed(&with("alg", json!("none")), &good, SECRET.as_bytes())),
        ("HS512", signed(&with("alg", json!("HS512")), &good, SECRET.as_bytes())),
        ("EdDSA", signed(&with("alg", json!("EdDSA")), &good, SECRET.as_bytes())),
        ("another secret", signed(&header(), &good, b"another secret of more than 32 bytes")),
        ("no secret", signed(&header(), &good, b"")),
        ("an unknown kid", signed(&with("kid", json!("b")), &good, SECRET.as_bytes())),
        ("another typ", signed(&with("typ", json!("JWT")), &good, SECRET.as_bytes())),
        ("an assertion's typ", signed(&with("typ", json!("jverify-assertion+jwt")), &good, SECRET.as_bytes())),
        ("crit", signed(&with("crit", json!(["exp"])), &good, SECRET.as_bytes())),
        ("jwk", signed(&with("jwk", json!({"kty": "oct", "k": "AA"})), &good, SECRET.as_bytes())),
        ("a cut signature", format!("{message}.{}", &signature[1..])),
        ("two signatures", format!("{pass}.{signature}")),
        ("padding", format!("{pass}=")),
        ("nothing", ".".into()),
        ("dots", "..".into()),
        ("a long text", "a".repeat(4097)),
        ("a long text of a pass", format!("{pass}{}", "A".repeat(8000))),
    ];
    for (what, text) in forged {
        desk.refuses(&text, &solved(), DenialReason::PassInvalid, what).await;
    }
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200, "the pass itself");
}

#[tokio::test]
async fn invalid_claims_are_refused_even_if_the_real_key_signed_them() {
    let desk = Desk::new();
    let good = claims(&desk.earned().await);
    let page = include_str!("../../../docs/step-up.md");
    for name in good.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{name}`")), "docs/step-up.md has no claim {name}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (name, value) in [
        ("iss", json!("another")),
        ("aud", json!("another")),
        ("aud", json!(["accounts"])),
        ("rule", json!("register")),
        ("ph", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("ph", json!("")),
        ("jti", json!("another")),
        ("iat", json!(now + 60)),
        ("exp", json!(now + 3600)),
        ("checked", json!((now + 60) * 1_000_000)),
        ("checked", json!((now - 3600) * 1_000_000)),
        ("checked", json!(null)),
        ("exp", json!(i64::from(-1_i8))),
        ("exp", json!(null)),
        ("checks", json!([])),
        ("checks", json!(["captcha"])),
        ("checks", json!(["number", "captcha"])),
        ("checks", json!(["number", "risk", "risk"])),
        ("score", json!("650")),
        ("n", json!(256)),
        ("more", json!(true)),
    ] {
        let mut changed = good.clone();
        changed[name] = value.clone();
        let text = signed(&header(), &changed, SECRET.as_bytes());
        desk.refuses(&text, &solved(), DenialReason::PassInvalid, &format!("{name}: {value}")).await;
    }
    for name in good.as_object().unwrap().keys().filter(|name| !["tags", "vid"].contains(&name.as_str())) {
        let mut changed = good.clone();
        changed.as_object_mut().unwrap().remove(name);
        let text = signed(&header(), &changed, SECRET.as_bytes());
        desk.refuses(&text, &solved(), DenialReason::PassInvalid, &format!("without {name}")).await;
    }
    let itself = signed(&header(), &good, SECRET.as_bytes());
    assert_eq!(desk.by_pass(&itself, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_clock_that_is_at_most_30_seconds_ahead_is_accepted() {
    let desk = Desk::new();
    for (ahead, is_accepted) in [(20, true), (40, false)] {
        for name in ["iat", "checked"] {
            let mut changed = claims(&desk.earned().await);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            changed[name] = json!(if name == "iat" { now + ahead } else { (now + ahead) * 1_000_000 });
            let text = signed(&header(), &changed, SECRET.as_bytes());
            if is_accepted {
                assert_eq!(desk.by_pass(&text, &solved()).await.status(), 200, "{name} {ahead}");
            } else {
                desk.refuses(&text, &solved(), DenialReason::PassInvalid, name).await;
            }
        }
    }
}

#[tokio::test]
async fn a_text_of_more_than_4_kib_is_refused_even_if_it_is_signed() {
    let desk = Desk::new();
    let good = claims(&desk.earned().await);
    let with_tags = |count: usize| {
        let mut changed = good.clone();
        changed["tags"] = (0..count).map(|tag| format!("{tag:0>64}")).collect();
        signed(&header(), &changed, SECRET.as_bytes())
    };
    let (short, long) = (with_tags(40), with_tags(44));
    assert!(short.len() > 3_600 && short.len() <= 4_096 && long.len() > 4_096, "{} {}", short.len(), long.len());
    desk.refuses(&long, &solved(), DenialReason::PassInvalid, "long").await;
    assert_eq!(desk.by_pass(&short, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let desk = Desk::set(|builder| builder.passes(Passes::ed25519("a", pkcs8()).audience("accounts")).rule(login()));
    let pass = desk.earned().await;
    let good = claims(&pass);
    let public = URL_SAFE_NO_PAD.decode(PUBLIC).unwrap();
    for secret in [public.as_slice(), PUBLIC.as_bytes(), &pkcs8()] {
        for alg in ["HS256", "EdDSA", "none"] {
            let header = json!({"typ": "jverify-pass+jwt", "alg": alg, "kid": "a"});
            desk.refuses(&signed(&header, &good, secret), &solved(), DenialReason::PassInvalid, alg).await;
        }
    }
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test]
async fn a_pass_is_for_one_phone_rule_audience_and_account() {
    let desk = Desk::set(|builder| {
        builder.passes(passes()).rules([login(), Rule::post("/register", number()).name("register")])
    });
    let others = [
        ("another audience", Desk::set(|builder| builder.passes(passes().audience("other")).rule(login()))),
        ("another account", Desk::set(|builder| builder.account("other").passes(passes()).rule(login()))),
        ("another rule of the path", Desk::set(|builder| builder.passes(passes()).rule(login().name("other")))),
        ("another instance", Desk::new()),
    ];
    let pass = desk.earned().await;
    let other_phone = json!({"phone": OTHER, "captchaContent": captcha_content()});
    desk.refuses(&pass, &other_phone, DenialReason::PassInvalid, "another phone").await;
    let at_register = super::with_pass(&pass, post_json("/register", solved().to_string()));
    let response = desk.send(at_register).await;
    assert_eq!(super::denial_reason(&response), Some(DenialReason::PassInvalid));
    for (what, other) in others {
        match what {
            // It is refused for the reason that it is named after: without one, it is accepted.
            "another instance" => assert_eq!(other.by_pass(&pass, &solved()).await.status(), 200),
            _ => other.refuses(&pass, &solved(), DenialReason::PassInvalid, what).await,
        }
    }
    let no_phone = desk.by_pass(&pass, &json!({"captchaContent": captcha_content()})).await;
    assert_eq!(super::denial_reason(&no_phone), Some(DenialReason::ProofMissing));
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_pass_ends_when_its_lifetime_is_over() {
    for (lifetime, set) in [(5 * MINUTE, None), (Duration::from_secs(30), Some(Duration::from_secs(30)))] {
        let passes = || set.map_or_else(passes, |lifetime| passes().lifetime(lifetime));
        let desk = Desk::set(|builder| builder.passes(passes()).rule(login()));
        let pass = desk.earned().await;
        let last = desk.earned().await;
        assert_eq!(claims(&pass)["exp"].as_u64().unwrap() - claims(&pass)["iat"].as_u64().unwrap(), lifetime.as_secs());
        // The system's clock goes on while the test runs.
        tokio::time::advance(lifetime.saturating_sub(Duration::from_secs(10))).await;
        assert_eq!(desk.by_pass(&last, &solved()).await.status(), 200);
        tokio::time::advance(Duration::from_secs(10)).await;
        desk.refuses(&pass, &solved(), DenialReason::PassExpired, "over").await;
    }
}

#[tokio::test]
async fn a_rotated_key_is_accepted_and_a_removed_one_is_not() {
    let (old, new) = ("old secret of more than 32 bytes....", "new secret of more than 32 bytes....");
    let layer = |passes: Passes| {
        JVerifyLayer::builder(verifier()).passes(passes.audience("accounts")).rule(login()).build().unwrap()
    };
    let desk = Desk::set(|builder| builder.passes(Passes::hs256("old", old).audience("accounts")).rule(login()));
    let (one, two) = (desk.earned().await, desk.earned().await);
    desk.layer.reload(layer(Passes::hs256("new", new).also("old", PassKey::hs256(old))));
    assert_eq!(desk.by_pass(&one, &solved()).await.status(), 200, "still accepted");
    let of_new = desk.earned().await;
    desk.layer.reload(layer(Passes::ed25519("newest", pkcs8()).also("new", PassKey::hs256(new))));
    desk.refuses(&two, &solved(), DenialReason::PassInvalid, "removed").await;
    assert_eq!(desk.by_pass(&of_new, &solved()).await.status(), 200, "of the key before");
    // Another key under the id of the old one.
    desk.layer.reload(layer(Passes::hs256("old", new)));
    desk.refuses(&two, &solved(), DenialReason::PassInvalid, "another key").await;
    // A reload forgets no pass that was used.
    desk.layer.reload(layer(Passes::hs256("old", old)));
    desk.refuses(&one, &solved(), DenialReason::PassUsed, "used before").await;
}

#[tokio::test]
async fn a_pass_may_be_bound_to_the_clients_network() {
    let rule = || login().client_ip(ClientIp::forwarded(1));
    let guards = Guards::builder().without_client_limits().build().unwrap();
    let desk = Desk::set(|builder| builder.guards(&guards).passes(passes().bind_client()).rule(rule()));
    let send = async |desk: &Desk, client: &str, pass: Option<&str>| {
        let body =
            if pass.is_some() { solved() } else { json!({"token": format!("650 {}", super::next()), "phone": PHONE}) };
        let mut request = post_json("/login", body.to_string());
        if let Some(pass) = pass {
            request = super::with_pass(pass, request);
        }
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        desk.send(request).await
    };
    for (from, near, far) in [
        ("192.0.2.1", "192.0.2.254", "192.0.3.1"),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::9", "2001:db8:2::1"),
        ("192.0.2.1", "::ffff:192.0.2.7", "2001:db8::1"),
    ] {
        let pass = issued(&send(&desk, from, None).await);
        let response = send(&desk, far, Some(&pass)).await;
        assert_eq!(super::denial_reason(&response), Some(DenialReason::PassInvalid), "{from} {far}");
        assert_eq!(send(&desk, near, Some(&pass)).await.status(), 200, "{from} {near}");
    }
    // Without an address there is none.
    let response = send(&desk, "unknown", None).await;
    assert!(!response.headers().contains_key(super::PASS));
    // One that was bound stays bound, and one that was not is not enough.
    let bound = issued(&send(&desk, "192.0.2.1", None).await);
    let free = Desk::set(|builder| builder.guards(&guards).passes(passes()).rule(rule()));
    let unbound = issued(&send(&free, "192.0.2.1", None).await);
    let response = send(&free, "192.0.3.1", Some(&bound)).await;
    assert_eq!(super::denial_reason(&response), Some(DenialReason::PassInvalid));
    let response = send(&desk, "192.0.2.1", Some(&unbound)).await;
    assert_eq!(super::denial_reason(&response), Some(DenialReason::PassInvalid));
}
