//! Risk headers that clients cannot forge, and other headers, which pass unchanged.

mod connection;
mod cookies;
mod routing;
mod spoofed;
mod tags;
mod trailers;
mod tunnels;
mod untouched;

/// Names that an application may read as an `x-jverify-*` header.
const FORGED: [&str; 14] = [
    "x-jverify-decision",
    "X-JVerify-Decision",
    "X_Jverify_Decision",
    "x-jverify_risk-score",
    "X_JVERIFY_RISK_LEVEL",
    "x.jverify.risk.score",
    "x-jverify-phone",
    "x-jverify-id",
    "x-jverify-sandbox",
    "x-jverify-made-up",
    "x-jverify",
    "x-jverify-",
    "x_jverify~reason",
    "x-jverify_",
];
