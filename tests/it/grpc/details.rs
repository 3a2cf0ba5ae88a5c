//! The details of a refused call, read as clients of gRPC read them.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use prost::Message;
use tonic::{
    Code, Status,
    transport::{Server, server::TcpIncoming},
};
use tonic_types::{ErrorDetails, StatusExt, pb};
use tower_jverify::{CheckKind, Class, Denial, DenialReason, Verdict};

use super::{LOGIN, LoginRequest, call, calls::Accounts, guarded, rule, unary};
use crate::support::{Verifier, builder};

/// What a client of tonic gets for a verdict.
async fn refused(verdict: Verdict) -> Status {
    let verifier = Verifier::answering(move |_| Some(verdict.clone()));
    let layer = builder(&verifier).rule(rule()).build().unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let mut server = Server::builder().layer(layer);
    tokio::spawn(server.add_service(Accounts::default()).serve_with_incoming(incoming));
    unary(address, LOGIN, LoginRequest::good()).await.unwrap_err()
}

/// Reason, domain and delay.
fn said(details: &ErrorDetails) -> (&str, &str, Option<Duration>) {
    let info = details.error_info().unwrap();
    assert!(info.metadata.is_empty());
    (&info.reason, &info.domain, details.retry_info().and_then(|info| info.retry_delay))
}

#[tokio::test]
async fn a_client_of_tonic_learns_the_code_and_when_it_may_try_again() {
    for (class, retry_after, code, reason, delay) in [
        (Class::Rejected, None, Code::PermissionDenied, "verification_failed", None),
        (Class::Throttled, None, Code::ResourceExhausted, "throttled", Some(30)),
        (Class::Throttled, Some(u32::MAX), Code::ResourceExhausted, "throttled", Some(u32::MAX)),
        (Class::Throttled, Some(0), Code::ResourceExhausted, "throttled", Some(0)),
        (Class::Unavailable, None, Code::Unavailable, "verification_unavailable", None),
    ] {
        let verdict = Verdict::new(CheckKind::Number, class);
        let verdict = if let Some(seconds) = retry_after { verdict.with_retry_after(seconds) } else { verdict };
        let status = refused(verdict).await;
        assert_eq!(status.code(), code);
        let details = status.get_error_details();
        let delay = delay.map(|seconds| Duration::from_secs(seconds.into()));
        assert_eq!(said(&details), (reason, "jverify", delay));
    }
}

#[tokio::test]
async fn the_details_repeat_the_status_and_have_no_padding() {
    for accept_language in ["en", "zh"] {
        let mut request = call("");
        request.headers_mut().insert("accept-language", accept_language.parse().unwrap());
        let response = guarded().send(request).await;
        let details = BASE64_STANDARD_NO_PAD.decode(&response.headers()["grpc-status-details-bin"]).unwrap();
        let details = pb::Status::decode(&*details).unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!((details.code, &*details.message), (i32::from(status.code()), status.message()));
        let urls: Vec<&str> = details.details.iter().map(|any| &*any.type_url).collect();
        assert_eq!(urls, ["type.googleapis.com/google.rpc.ErrorInfo"]);
    }
}

#[test]
fn a_denial_that_a_handler_of_tonic_returns_has_the_same_details() {
    let status = Status::from(Denial::for_test(DenialReason::Overloaded));
    let details = status.get_error_details();
    assert_eq!(said(&details), ("verification_unavailable", "jverify", Some(Duration::from_secs(1))));
    assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
}
