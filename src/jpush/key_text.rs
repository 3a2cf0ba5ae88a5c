//! Finds a private key in the text that a developer has: PEM or base64, as in files, environment variables and secret
//! stores.
//!
//! Errors are fixed texts: no message repeats a part of the key.

use base64::{
    Engine as _,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::zeroize::Zeroizing;

/// A binary copy of a key, which is overwritten when it is dropped.
pub(super) type Der = Zeroizing<Vec<u8>>;

/// Base64 with and without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

pub(super) const ENCRYPTED: &str = "the key is encrypted, and no password can be set here: decrypt it \
    (`openssl pkcs8 -in key.pem -out plain.pem`, or `openssl rsa -in key.pem -out plain.pem`), and set the text of plain.pem";
pub(super) const PUBLIC: &str = "this is a public key: the private key of the same pair is needed";
pub(super) const CERTIFICATE: &str = "this is a certificate: the private key that belongs to it is needed";
pub(super) const REQUEST: &str =
    "this is a certificate signing request (CSR): the private key that it was made with is needed";
pub(super) const ELLIPTIC: &str = "this is an elliptic-curve (EC) key: JPush encrypts phones for an RSA key";
const OPENSSH: &str =
    "this is a key in OpenSSH's format: an RSA key is rewritten as PEM by `ssh-keygen -p -m PEM -f key`";
const LABEL: &str = "the PEM label is wrong: it must be `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1)";
const DSA: &str = "this is a DSA key: JPush encrypts phones for an RSA key";
const CUT: &str = "the PEM has no END line of the same label: the text is cut off (a variable that ends at the first line \
    break?)";
const DAMAGED: &str = "the PEM is damaged: the text between BEGIN and END is not base64";
const NO_KEY: &str =
    "neither PEM nor base64 of a private key (the text of the key is needed, not the name of its file)";

/// The binary key in a text: PKCS#8 or PKCS#1, as its bytes say. The label is read only to refuse what is not a
/// private RSA key.
///
/// # Errors
///
/// Returns what is wrong with the text.
pub(super) fn der(text: &str) -> Result<Der, &'static str> {
    let text = plain(text);
    if text.is_empty() {
        return Err("the text is empty");
    }
    if let Some(der) = of_pem(&text) {
        return der;
    }
    let bytes = base64(&text).ok_or(NO_KEY)?;
    // Secret stores and CI variables often hold the whole file in base64.
    let inner = std::str::from_utf8(&bytes).ok().and_then(|inner| of_pem(&plain(inner)));
    match inner {
        Some(der) => der,
        // A DER sequence. Without this check, many file names would count as base64.
        None if bytes.starts_with(&[0x30]) => Ok(bytes),
        None => Err(NO_KEY),
    }
}

/// The text without byte order marks, quotes and surrounding white space, and with line breaks for `\n` and `\r`.
fn plain(text: &str) -> Zeroizing<String> {
    // As long as the text, so that the buffer does not grow and leave a part of the key in memory.
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.chars().filter(|letter| *letter != '\u{feff}').peekable();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        // `\\n` is `\n`, escaped twice. Neither PEM nor base64 contains a backslash, so this is unambiguous.
        while rest.next_if_eq(&'\\').is_some() {}
        match rest.next_if(|letter| matches!(letter, 'n' | 'r')) {
            Some(_) => plain.push('\n'),
            None if rest.peek().is_none_or(|letter| letter.is_whitespace() || *letter == '"') => {}
            None => plain.push('\\'),
        }
    }
    let is_around = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'');
    let trimmed = plain.trim_matches(is_around);
    if trimmed.len() == plain.len() { plain } else { Zeroizing::new(trimmed.to_owned()) }
}

/// The first private RSA key of a PEM, or what is wrong with the first block of another kind; `None` without a block.
fn of_pem(text: &str) -> Option<Result<Der, &'static str>> {
    let mut found = None;
    for block in text.split("-----BEGIN ").skip(1) {
        let read = of_block(block);
        if read.is_ok() {
            return Some(read);
        }
        // A file may begin with a certificate, or with the parameters of a curve.
        found.get_or_insert(read);
    }
    found
}

/// The key of a block, whose text begins with its label.
fn of_block(block: &str) -> Result<Der, &'static str> {
    let (label, after) = block.split_once("-----").ok_or(CUT)?;
    refuse_label(label.trim())?;
    let (body, end) = after.split_once("-----END ").ok_or(CUT)?;
    if end.split_once("-----").is_none_or(|(end, _)| end.trim() != label.trim()) {
        return Err(CUT);
    }
    // RFC 1421: `Proc-Type: 4,ENCRYPTED`.
    if body.contains("Proc-Type") && body.contains("ENCRYPTED") {
        return Err(ENCRYPTED);
    }
    base64(body).filter(|der| !der.is_empty()).ok_or(DAMAGED)
}

fn refuse_label(label: &str) -> Result<(), &'static str> {
    Err(match label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" => return Ok(()),
        "ENCRYPTED PRIVATE KEY" => ENCRYPTED,
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "SSH2 PUBLIC KEY" => PUBLIC,
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => CERTIFICATE,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => REQUEST,
        "EC PRIVATE KEY" | "EC PARAMETERS" => ELLIPTIC,
        "DSA PRIVATE KEY" => DSA,
        "OPENSSH PRIVATE KEY" => OPENSSH,
        _ => LABEL,
    })
}

/// Decodes base64 with any line breaks.
fn base64(text: &str) -> Option<Der> {
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.split_whitespace().flat_map(str::bytes));
    BASE64.decode(&*letters).ok().map(Zeroizing::new)
}
