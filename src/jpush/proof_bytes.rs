//! Which proofs are sent to JPush at all.
//!
//! A token is the client's text, and the vendor's edge reads it before JPush does: a firewall may reset the connection for
//! `1 UNION SELECT`, a gateway may answer 502 for `<script>`. So a text that no carrier or captcha issues is
//! refused here, and nothing is sent.

use crate::error::ConfigError;

/// The longest proof in bytes. The vendor's longest, a captcha's answer, has about 1,000.
const LONGEST: usize = 4096;

/// The characters of tokens: base64 in both alphabets, and the separators of signed tokens.
const USUAL: &[u8] = b"+/=_-.~:";

/// The bytes that a proof may contain.
#[derive(Clone, Debug)]
pub(super) struct ProofBytes([bool; 256]);

// === impl ProofBytes ===

impl Default for ProofBytes {
    fn default() -> Self {
        let mut bytes = [false; 256];
        for (byte, allowed) in (0_u8..=255).zip(&mut bytes) {
            *allowed = byte.is_ascii_alphanumeric() || USUAL.contains(&byte);
        }
        Self(bytes)
    }
}

impl ProofBytes {
    /// Allows everything except control characters.
    pub(super) fn printable() -> Self {
        let mut bytes = Self::default();
        bytes.allow((0_u8..=255).filter(|byte| !byte.is_ascii_control()));
        bytes
    }

    /// Allows more bytes.
    pub(super) fn allow(&mut self, more: impl IntoIterator<Item = u8>) {
        for byte in more {
            if let Some(allowed) = self.0.get_mut(usize::from(byte)) {
                *allowed = true;
            }
        }
    }

    /// # Errors
    ///
    /// `proof_bytes`, if a control character is allowed.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let controls = (0_u8..=255).filter(u8::is_ascii_control);
        match controls.into_iter().find(|byte| self.allows(*byte)) {
            None => Ok(()),
            Some(byte) => {
                Err(ConfigError::new("proof_bytes", format!("{byte:#04x}"), "control characters cannot be allowed"))
            }
        }
    }

    /// Whether a proof may be sent.
    pub(super) fn take(&self, proof: &str) -> bool {
        if !(1..=LONGEST).contains(&proof.len()) {
            return false;
        }
        // Letters and digits are always allowed. Without an early return, this loop is a few vector instructions.
        if proof.bytes().fold(true, |all, byte| all & byte.is_ascii_alphanumeric()) {
            return true;
        }
        proof.bytes().all(|byte| self.allows(byte))
            // `..` is refused, because a server that puts a token into a path would read it as a step up.
            && !proof.contains("..")
            // C1 control characters are two bytes in UTF-8, so the table of bytes cannot exclude them.
            && (proof.is_ascii() || !proof.chars().any(char::is_control))
    }

    /// The bytes that are allowed in addition to the usual ones, as ranges; `None` without such bytes.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(super) fn beyond_usual(&self) -> Option<String> {
        let usual = Self::default();
        let more: Vec<u8> = (0_u8..=255).filter(|byte| self.allows(*byte) && !usual.allows(*byte)).collect();
        let ranges = more.chunk_by(|one, next| one.checked_add(1) == Some(*next)).filter_map(|range| {
            let (first, last) = (range.first()?, range.last()?);
            Some(if first == last { format!("{first:#04x}") } else { format!("{first:#04x}-{last:#04x}") })
        });
        let ranges: Vec<String> = ranges.collect();
        (!ranges.is_empty()).then(|| ranges.join(","))
    }

    fn allows(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)) == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carriers_and_captchas_issue_is_sent() {
        for proof in [
            "STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw",
            "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln",
            "a+b/c==",
            "one:two~three",
            "x",
            &"A".repeat(4096),
        ] {
            assert!(ProofBytes::default().take(proof), "{proof}");
        }
    }

    #[test]
    fn every_other_byte_a_way_up_and_another_length_are_not() {
        let usual = ProofBytes::default();
        for byte in (0_u8..128).filter(|byte| !byte.is_ascii_alphanumeric() && !USUAL.contains(byte)) {
            assert!(!usual.take(&format!("a{}b", char::from(byte))), "{byte:#04x}");
        }
        for proof in ["", "..", "a/../b", "\u{e9}", "注册", "ｔ", "\u{200b}t", &"A".repeat(4097)] {
            assert!(!usual.take(proof), "{proof}");
        }
    }

    #[test]
    fn wider_is_still_without_controls_ways_up_and_any_length() {
        let all = ProofBytes::printable();
        assert!(all.take("sandbox-pass-scene-注册") && all.take("sandbox-once-9000#a \"'<>"));
        for proof in ["", "..", "\n", "\u{7f}", "\u{85}", &"A".repeat(4097)] {
            assert!(!all.take(proof), "{proof:?}");
        }
        let mut more = ProofBytes::default();
        more.allow(*b"#");
        assert!(more.take("a#b") && !more.take("a b") && more.validate().is_ok());
        for control in [0, 9, 0x1f, 0x7f] {
            let mut more = ProofBytes::default();
            more.allow([control]);
            assert_eq!(more.validate().unwrap_err().setting(), "proof_bytes");
        }
    }
}
