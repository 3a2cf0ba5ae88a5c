//! The shapes in which a one-tap key is accepted, and what `build()` says about the others.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _};
use tower_jverify::{Check, JPush, Sandbox, Secret};

use super::support::credentials;

/// PKCS#8 of RSA of any length. Its numbers do not fit together.
fn rsa_of(bits: usize) -> Vec<u8> {
    let modulus = [&[0, 0x80][..], &vec![1; bits / 8 - 1]].concat();
    let numbers = [element(2, &[0]), element(2, &modulus), element(2, &[1, 0, 1])].concat();
    let algorithm = element(0x30, &[&element(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1])[..], &[5, 0]].concat());
    element(0x30, &[element(2, &[0]), algorithm, element(4, &element(0x30, &numbers))].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn error(text: &str) -> String {
    let error = JPush::builder(credentials()).one_tap_key(&Secret::from(text)).build().unwrap_err();
    assert_eq!((error.setting(), error.value()), ("one_tap_key", None));
    error.to_string()
}

#[tokio::test]
async fn a_key_opens_phones_in_every_shape_in_which_developers_have_it() {
    let secret = Sandbox::one_tap_key_pem();
    let pkcs8 = secret.expose();
    let der = BASE64_STANDARD.decode(pkcs8.lines().filter(|line| !line.contains('-')).collect::<String>()).unwrap();
    // PKCS#8 of 2,048 bits ends with PKCS#1, behind 26 bytes.
    let pkcs1 = pem("RSA PRIVATE KEY", &der[26..]);
    for pem in [pkcs8, pkcs1.as_str()] {
        let bare: String = pem.lines().filter(|line| !line.contains('-')).collect();
        let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for text in [
            pem.to_owned(),
            pem.trim().to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.replace('\n', "\\\\n"),
            pem.replace('\n', " "),
            format!("\u{feff}{pem}"),
            format!(" \r\n\t{pem}\n\n "),
            format!("\"{}\"", pem.trim().replace('\n', "\\n")),
            format!("'{pem}'"),
            format!("{certificate}{pem}"),
            bare.clone(),
            format!("\u{feff} {bare}\r\n"),
            bare.trim_end_matches('=').to_owned(),
            pem.lines().filter(|line| !line.contains('-')).collect::<Vec<_>>().join("\r\n"),
            pem.lines().filter(|line| !line.contains('-')).collect::<Vec<_>>().join("\\n"),
            BASE64_STANDARD.encode(pem),
            BASE64_STANDARD.encode(format!("\u{feff}{}", pem.replace('\n', "\r\n"))),
            BASE64_STANDARD.encode(pem.replace('\n', "\\n")),
        ] {
            let jpush =
                JPush::builder(credentials()).transport(Sandbox::new()).one_tap_key(&Secret::from(text.as_str()));
            let jpush = jpush.build().unwrap_or_else(|error| panic!("{error}: {text:?}"));
            let verdict = jpush.ask(Check::one_tap("sandbox-8000-13800000000")).await.unwrap();
            assert!(verdict.phone().is_some_and(|phone| phone.as_str() == "13800000000"), "{text:?}");
        }
    }
}

#[test]
fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n\
                       -----END RSA PRIVATE KEY-----\n";
    let algorithm = element(0x30, &element(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13]));
    let der = element(0x30, &[algorithm, element(4, &[7; 64])].concat());
    for text in [
        pem("ENCRYPTED PRIVATE KEY", &der),
        pem("PRIVATE KEY", &der),
        traditional.to_owned(),
        traditional.replace('\n', "\\n"),
        traditional.replace('\n', "\r\n"),
        BASE64_STANDARD.encode(&der),
        BASE64_STANDARD.encode(traditional),
    ] {
        let error = error(&text);
        assert!(error.contains("encrypted, and") && error.contains("openssl pkcs8 -in"), "{error}: {text:?}");
    }
}

#[test]
fn what_is_not_a_private_rsa_key_is_named_by_its_kind() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let parameters = CertificateParams::new(["a.example".to_owned()]).unwrap();
    let request = parameters.serialize_request(&pair).unwrap();
    let certificate = parameters.self_signed(&pair).unwrap();
    let sec1 = element(0x30, &[element(2, &[1]), element(4, &[7; 32])].concat());
    for (text, word) in [
        (pair.public_key_pem(), "a public key"),
        (pem("RSA PUBLIC KEY", b"canary"), "a public key"),
        (pem("PRIVATE KEY", &pair.subject_public_key_info()), "a public key"),
        (BASE64_STANDARD.encode(pair.subject_public_key_info()), "a public key"),
        (certificate.pem(), "this is a certificate:"),
        (BASE64_STANDARD.encode(certificate.der()), "this is a certificate:"),
        (request.pem().unwrap(), "(CSR)"),
        (BASE64_STANDARD.encode(request.der()), "(CSR)"),
        (pem("EC PRIVATE KEY", &sec1), "elliptic-curve"),
        (BASE64_STANDARD.encode(&sec1), "elliptic-curve"),
        (pair.serialize_pem(), "elliptic-curve"),
        (BASE64_STANDARD.encode(pair.serialize_der()), "elliptic-curve"),
        (edwards.serialize_pem(), "Ed25519"),
        (pem("OPENSSH PRIVATE KEY", b"canary"), "ssh-keygen"),
        (pem("DSA PRIVATE KEY", b"canary"), "DSA"),
        (pem("CANARY", b"canary"), "label is wrong"),
        (pem("PRIVATE KEY", &rsa_of(1024)), "has 1024 bits, as the vendor's sample has"),
        (BASE64_STANDARD.encode(rsa_of(1024)), "set its public key in the vendor's console"),
        (pem("PRIVATE KEY", &rsa_of(1536)), "too short: it has 1536 bits"),
        (pem("PRIVATE KEY", &rsa_of(16384)), "too long: it has 16384 bits"),
        (pem("PRIVATE KEY", &rsa_of(2048)), "damaged: its numbers"),
        (pem("PRIVATE KEY", b"canary"), "not a private key, or are damaged"),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), "cut off"),
        (pem("PRIVATE KEY", &rsa_of(2048)).replace("END PRIVATE", "END RSA PRIVATE"), "cut off"),
        (pem("PRIVATE KEY", &rsa_of(2048)).replace("-----\nM", "-----\n!"), "not base64"),
        ("/etc/canary.pem".to_owned(), "not the name of its file"),
        ("canary".to_owned(), "not the name of its file"),
        (" \u{feff}\\n".to_owned(), "the text is empty"),
    ] {
        let error = error(&text);
        assert!(error.contains(word), "{word}: {error}");
        let shown = |line: &str| line.len() > 15 && error.contains(line);
        assert!(!error.to_lowercase().contains("canary") && !text.lines().skip(1).any(shown), "{error}");
    }
}
