//! The details of a refused gRPC call: `google.rpc.Status`, which gRPC's clients read from `grpc-status-details-bin`.
//!
//! Three messages with a few fields each, written by hand: prost would be a dependency of every build.

use super::Denial;

/// The `domain` of `ErrorInfo`.
const DOMAIN: &str = "jverify";

// === impl Denial ===

impl Denial {
    /// The encoded `google.rpc.Status`: the code and the message of the answer, `google.rpc.ErrorInfo` with the denial's code
    /// as its reason, and `google.rpc.RetryInfo` if the client knows when it may try again.
    pub(super) fn grpc_details(&self, message: &str) -> Vec<u8> {
        let mut status = Vec::with_capacity(256);
        integer(1, u64::from(self.grpc_code()), &mut status);
        text(2, message.as_bytes(), &mut status);

        let mut info = Vec::new();
        text(1, self.code().as_bytes(), &mut info);
        text(2, DOMAIN.as_bytes(), &mut info);
        any("google.rpc.ErrorInfo", &info, &mut status);

        if let Some(seconds) = self.retry_after() {
            let (mut duration, mut retry) = (Vec::new(), Vec::new());
            integer(1, u64::from(seconds), &mut duration);
            text(1, &duration, &mut retry);
            any("google.rpc.RetryInfo", &retry, &mut status);
        }
        status
    }
}

/// Field 3 of `Status`: a `google.protobuf.Any`.
fn any(message: &str, value: &[u8], status: &mut Vec<u8>) {
    let mut any = Vec::new();
    text(1, format!("type.googleapis.com/{message}").as_bytes(), &mut any);
    text(2, value, &mut any);
    text(3, &any, status);
}

/// A field of an integer. The default is not written.
fn integer(field: u8, value: u64, message: &mut Vec<u8>) {
    if value != 0 {
        message.push(field << 3);
        varint(value, message);
    }
}

/// A field of a text, of bytes or of a message.
fn text(field: u8, value: &[u8], message: &mut Vec<u8>) {
    message.push(field << 3 | 2);
    varint(value.len() as u64, message);
    message.extend_from_slice(value);
}

fn varint(mut value: u64, message: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return message.push(low);
        }
        message.push(low | 0x80);
    }
}
