//! Passes and assertions, which leave this process as signed texts and are read again: their keys, and the compact form of JWS (RFC 7515).
//!
//! # Threats
//!
//! A client has the text, and can send any other text instead. So the algorithm belongs to the key: the header of a text only names the key, and must
//! name the key's algorithm (`alg: none`, or HS256 with a public key as the secret, reaches no signature). The header has a `typ`, so that a text that was
//! signed for one purpose is never read for another. A text is not parsed any further before its signature was verified.
//!
//! aws-lc-rs computes the signatures, through jsonwebtoken's factories. Nothing is installed for the whole process.

mod assertion;
#[cfg(feature = "pass")]
mod assertion_error;
mod bound;
mod carried;
#[cfg(feature = "pass")]
mod claims;
#[cfg(not(feature = "pass"))]
#[path = "no_claims.rs"]
mod claims;
#[cfg(feature = "pass")]
mod jti;
#[cfg(feature = "pass")]
mod jwks;
#[cfg(not(feature = "pass"))]
#[path = "no_jwks.rs"]
mod jwks;
#[cfg(feature = "pass")]
mod jws;
#[cfg(not(feature = "pass"))]
#[path = "no_jws.rs"]
mod jws;
mod key;
mod passes;
#[cfg(feature = "pass")]
mod ring;
#[cfg(not(feature = "pass"))]
#[path = "no_ring.rs"]
mod ring;
mod signer;
mod subject;
#[cfg(feature = "pass")]
mod verifier;

pub use self::{assertion::Assertions, key::PassKey, passes::Passes};
#[cfg(feature = "pass")]
#[cfg_attr(docsrs, doc(cfg(feature = "pass")))]
pub use self::{
    assertion_error::AssertionError,
    verifier::{Assertion, Verifier, VerifierBuilder},
};
pub(crate) use self::{
    bound::{Bound, Target},
    carried::{Carried, Chain, Unread},
    ring::Keyring,
    signer::Signer,
    subject::Subject,
};
