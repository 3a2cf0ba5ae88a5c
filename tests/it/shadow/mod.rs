//! Rules that are in shadow, or enforced for a part of their clients.

mod lossless;
