//! If a gRPC call passes, then prost, which reads it as tonic does, reads the same proof as the verifier got: from the first frame
//! of a stream, or the only frame of a unary call, with each field on the way once.
//!
//! Input: a byte for `grpc-encoding`, one for where the body is cut in two, and the body.
#![no_main]

use std::{io::Read, sync::LazyLock};

use http::{Request, Version};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tower_jverify::{Class, Field, JVerifyLayer, Media, Rule, number};
use tower_jverify_fuzz::{Frames, Verifier, guarding, send};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Passed));
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| {
    let rule = |path, token| {
        let ask = number().token(Field::body(token)).phone(Field::body("/2"));
        Rule::post(path, ask).accept([Media::Grpc])
    };
    guarding(
        &VERIFIER,
        [
            rule("/a.A/Flat", "/1"),
            rule("/a.A/Nested", "/3/1"),
            rule("/a.A/FlatStream", "/1").client_streaming(true),
            rule("/a.A/NestedStream", "/3/1").client_streaming(true),
        ],
    )
});

fuzz_target!(|input: &[u8]| {
    let [encoding, cut, body @ ..] = input else { return };
    let encoding = [None, Some("identity"), Some("gzip"), Some("zstd"), Some("deflate")][usize::from(encoding % 5)];
    for (path, is_nested, is_stream) in [
        ("/a.A/Flat", false, false),
        ("/a.A/Nested", true, false),
        ("/a.A/FlatStream", false, true),
        ("/a.A/NestedStream", true, true),
    ] {
        let request = Request::post(path).version(Version::HTTP_2).header("content-type", "application/grpc");
        let request = request.header("te", "trailers");
        let request = encoding.into_iter().fold(request, |request, value| request.header("grpc-encoding", value));
        let request = request.body(Frames::cut(body, (*cut).into())).expect("a request that stands");
        let Some(asked) = send(&LAYER, &VERIFIER, request).accepted() else { continue };

        let (frame, rest) = first_frame(body).expect("what is let in begins with a frame");
        assert!(is_stream || rest.is_empty(), "{path}: {} bytes after the only message", rest.len());
        let Some(message) = decoded(frame, encoding) else { continue };
        let token = if is_nested { &only::<Inner, _>(&message).expect("a message within") } else { &message };
        assert_eq!(
            (text::<Text1, Number1>(token), text::<Text2, Number2>(&message)),
            (asked.token, asked.phone),
            "{path}"
        );
    }
});

/// The frame's flag and data, and what comes after.
fn first_frame(body: &[u8]) -> Option<((u8, &[u8]), &[u8])> {
    let (head, rest) = body.split_first_chunk()?;
    let [flag, length @ ..]: [u8; 5] = *head;
    let (data, rest) = rest.split_at_checked(u32::from_be_bytes(length).try_into().ok()?)?;
    Some(((flag, data), rest))
}

/// As tonic decodes: as a stream, to its end. `None`: the checksum of zstd, which the layer leaves for the application to
/// compare, is wrong, so that the application refuses the message.
fn decoded((flag, data): (u8, &[u8]), encoding: Option<&str>) -> Option<Vec<u8>> {
    /// Of the frame header's descriptor (RFC 8878, section 3.1.1.1.1).
    const HAS_CHECKSUM: u8 = 4;
    let mut message = Vec::new();
    let read = match (flag, encoding) {
        (0, _) => return Some(data.to_vec()),
        (1, Some("gzip")) => flate2::read::GzDecoder::new(data).read_to_end(&mut message),
        (1, Some("zstd")) => zstd::Decoder::new(data).and_then(|mut data| data.read_to_end(&mut message)),
        other => panic!("let in with {other:?}"),
    };
    if read.is_err() && encoding == Some("zstd") && data.get(4).is_some_and(|flags| flags & HAS_CHECKSUM != 0) {
        return None;
    }
    read.expect("what is let in can be decompressed");
    Some(message)
}

/// A message of which one field is known, as often as it is there.
trait Known<T>: Message + Default {
    fn into_values(self) -> Vec<T>;
}

/// The value of the field; `None` if it has another type. It must not be there twice.
fn only<M: Known<T>, T>(message: &[u8]) -> Option<T> {
    let values = M::decode(message).ok()?.into_values();
    assert!(values.len() <= 1, "a guarded field {} times", values.len());
    values.into_iter().next()
}

/// A field as whichever of the two types it has.
fn text<S: Known<String>, N: Known<u64>>(message: &[u8]) -> String {
    only::<S, _>(message)
        .or_else(|| only::<N, _>(message).map(|number| number.to_string()))
        .expect("a text or a number")
}

macro_rules! known {
    ($name:ident, $kind:ident $(= $bytes:tt)?, $tag:tt, $type:ty) => {
        #[derive(Clone, PartialEq, Message)]
        struct $name {
            #[prost($kind $(= $bytes)?, repeated, tag = $tag)]
            values: Vec<$type>,
        }

        impl Known<$type> for $name {
            fn into_values(self) -> Vec<$type> {
                self.values
            }
        }
    };
}

known!(Text1, string, "1", String);
known!(Number1, uint64, "1", u64);
known!(Text2, string, "2", String);
known!(Number2, uint64, "2", u64);
known!(Inner, bytes = "vec", "3", Vec<u8>);
