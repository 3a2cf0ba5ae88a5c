//! The key pair of one-tap logins: phones are encrypted with its public half, like the vendor does with the key that a
//! developer uploads.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeySize, Pkcs1PublicEncryptingKey, PrivateDecryptingKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{phone::Phone, secret::Secret};

/// One per process: generating a key is slow, and this key protects nothing.
fn key() -> &'static PrivateDecryptingKey {
    static KEY: OnceLock<PrivateDecryptingKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("the system has randomness"))
}

/// The private half: PKCS#8 in PEM.
pub(super) fn key_pem() -> Secret {
    let der: Pkcs8V1Der<'_> = key().as_der().expect("a key that was made here can be written");
    let base64 = BASE64_STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem.into()
}

/// The phone, encrypted (PKCS#1 v1.5), in base64.
pub(super) fn encrypt(phone: Phone) -> Option<String> {
    let key = Pkcs1PublicEncryptingKey::new(key().public_key()).ok()?;
    let mut encrypted = vec![0; key.ciphertext_size()];
    let encrypted = key.encrypt(phone.as_str().as_bytes(), &mut encrypted).ok()?;
    Some(BASE64_STANDARD.encode(encrypted))
}
