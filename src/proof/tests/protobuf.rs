//! What prost writes is read as it was meant, and changed bytes are read as prost reads them, or refused.

use http::HeaderMap;
use proptest::{collection::vec, option, prelude::*, sample::Index};
use prost::Message;

use super::{super::grpc, *};

#[derive(Clone, PartialEq, Message)]
struct Login {
    #[prost(string, tag = "1")]
    token: String,
    #[prost(message, optional, tag = "2")]
    who: Option<Who>,
    #[prost(string, repeated, tag = "3")]
    devices: Vec<String>,
    #[prost(sint64, tag = "4")]
    skew: i64,
    #[prost(double, tag = "16")]
    score: f64,
    #[prost(fixed32, tag = "2047")]
    flags: u32,
    #[prost(bytes = "vec", tag = "536870911")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Who {
    #[prost(uint64, tag = "15")]
    phone: u64,
    #[prost(message, repeated, tag = "1")]
    logins: Vec<Login>,
}

fn plan() -> Plan {
    let fields = [Field::body("/1"), Field::body("/2/15")];
    let plan = Plan::compile(&fields, false).unwrap();
    plan.accepting_grpc(&fields, &[true, true], None).unwrap()
}

fn login() -> impl Strategy<Value = Login> {
    let phone = 0..=i64::MAX.unsigned_abs();
    let who = option::of(phone.prop_map(|phone| Who { phone, logins: vec![Login::default(); 2] }));
    let devices = vec("[a-z]{0,3}", 0..3);
    let rest = (any::<i64>(), any::<f64>(), any::<u32>(), vec(any::<u8>(), 0..5));
    // A text of spaces alone is read as absent: `meant` would differ.
    let token = "[ -~]{0,40}".prop_filter("blank", |token| token.is_empty() || !token.trim().is_empty());
    (token, who, devices, rest).prop_map(|(token, who, devices, (skew, score, flags, key))| Login {
        token,
        who,
        devices,
        skew,
        score,
        flags,
        key,
    })
}

/// Token and phone, as [`read`] shows them: protobuf does not send what is empty or zero.
fn meant(login: &Login) -> Vec<Option<String>> {
    let phone = login.who.as_ref().map(|who| who.phone).filter(|phone| *phone != 0);
    vec![Some(login.token.clone()).filter(|token| !token.is_empty()), phone.map(|phone| format!("#{phone}"))]
}

/// What an attacker does to bytes.
#[derive(Clone, Debug)]
enum Bend {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index),
    Repeat(Index, Index),
    Cut(Index),
}

fn bend() -> impl Strategy<Value = Bend> {
    // Mostly bytes that mean something on the way.
    let byte = prop_oneof![Just(0x0a), Just(0x12), Just(0x78), Just(0x80), Just(0x00), 0..4_u8, any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Bend::Set(at, byte)),
        (any::<Index>(), vec(byte, 1..5)).prop_map(|(at, bytes)| Bend::Insert(at, bytes)),
        any::<Index>().prop_map(Bend::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Bend::Repeat(from, to)),
        any::<Index>().prop_map(Bend::Cut),
    ]
}

fn bent(mut bytes: Vec<u8>, bends: &[Bend]) -> Vec<u8> {
    for bend in bends {
        let size = bytes.len() + 1;
        match bend {
            Bend::Set(at, byte) if !bytes.is_empty() => *at.get_mut(&mut bytes) = *byte,
            Bend::Insert(at, more) => drop(bytes.splice(at.index(size)..at.index(size), more.iter().copied())),
            Bend::Remove(at) if !bytes.is_empty() => drop(bytes.remove(at.index(size - 1))),
            Bend::Repeat(from, to) => {
                let (from, to) = (from.index(size).min(to.index(size)), from.index(size).max(to.index(size)));
                bytes.extend_from_within(from..to);
            }
            Bend::Cut(at) => bytes.truncate(at.index(size)),
            Bend::Set(..) | Bend::Remove(_) => {}
        }
    }
    bytes
}

proptest! {
    #[test]
    fn what_prost_writes_is_read_as_it_was_meant(login in login()) {
        prop_assert_eq!(read(&plan(), Media::Grpc, &login.encode_to_vec()), Ok(meant(&login)));
    }

    #[test]
    fn what_is_read_of_a_bent_message_is_what_prost_reads(login in login(), bends in vec(bend(), 1..4)) {
        let bytes = bent(login.encode_to_vec(), &bends);
        if let (Ok(ours), Ok(theirs)) = (read(&plan(), Media::Grpc, &bytes), Login::decode(&*bytes)) {
            prop_assert_eq!(ours, meant(&theirs));
        }
    }

    #[test]
    fn a_bent_frame_is_the_same_frame_or_none(login in login(), bends in vec(bend(), 0..3)) {
        let message = login.encode_to_vec();
        let head = u32::try_from(message.len()).unwrap().to_be_bytes();
        let frame = bent([&[0], head.as_slice(), &message].concat(), &bends);
        for encoding in [None, Some("gzip"), Some("zstd")] {
            let mut headers = HeaderMap::new();
            headers.extend(encoding.map(|value| (http::HeaderName::from_static("grpc-encoding"), value.parse().unwrap())));
            if let Ok(message) = grpc::only_message(&frame, &headers, 4096)
                && frame[0] == 0
            {
                prop_assert_eq!(&*message, &frame[5..]);
            }
        }
    }
}
