//! Fields by name, with the descriptors of the method.

use bytes::Bytes;
use http_body_util::Full;
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    OneofDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use tower_jverify::{
    Ask, Field, ForeignBackend, JVerifyBuilder, JVerifyLayer, Media, Rule, Suspicion, captcha, number,
};

use super::{LOGIN, LoginRequest, PHONE, TOKEN, asked_for_the_good_login, call, call_with, frame, good, refuses};
use crate::support::{Guarded, Verifier, builder, denial, post_json};

/// ```proto
/// package accounts;
/// service Accounts { rpc Login(LoginRequest) returns (Who); rpc Enter(stream Envelope) returns (Who); }
/// message LoginRequest { string token = 1; string phone = 2; repeated string devices = 3; }
/// message Who { int64 phone = 15; oneof how { string login_token = 4; string password = 5; } bytes key = 6; int32 kind = 7; }
/// message Envelope { Who who = 1; map<string, Who> others = 2; }
/// ```
fn descriptors() -> Vec<u8> {
    let field = |name: &str, number, kind, label| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        r#type: Some(kind as i32),
        label: Some(label as i32),
        ..Default::default()
    };
    let one = |name, number, kind| field(name, number, kind, Label::Optional);
    let in_oneof = |name, number| FieldDescriptorProto { oneof_index: Some(0), ..one(name, number, Type::String) };
    let message = |name: &str, fields: Vec<FieldDescriptorProto>| DescriptorProto {
        name: Some(name.into()),
        field: fields,
        ..Default::default()
    };
    let method = |name: &str, input: &str, streams| MethodDescriptorProto {
        name: Some(name.into()),
        input_type: Some(format!(".accounts.{input}")),
        output_type: Some(".accounts.Who".into()),
        client_streaming: Some(streams),
        ..Default::default()
    };
    let who = FieldDescriptorProto { type_name: Some(".accounts.Who".into()), ..one("who", 1, Type::Message) };
    let set = FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("accounts.proto".into()),
            package: Some("accounts".into()),
            syntax: Some("proto3".into()),
            message_type: vec![
                message(
                    "LoginRequest",
                    vec![
                        one("token", 1, Type::String),
                        one("phone", 2, Type::String),
                        field("devices", 3, Type::String, Label::Repeated),
                    ],
                ),
                DescriptorProto {
                    oneof_decl: vec![OneofDescriptorProto { name: Some("how".into()), ..Default::default() }],
                    ..message(
                        "Who",
                        vec![
                            one("phone", 15, Type::Int64),
                            in_oneof("login_token", 4),
                            in_oneof("password", 5),
                            one("key", 6, Type::Bytes),
                            one("kind", 7, Type::Int32),
                        ],
                    )
                },
                message("Envelope", vec![who]),
            ],
            service: vec![ServiceDescriptorProto {
                name: Some("Accounts".into()),
                method: vec![method("Login", "LoginRequest", false), method("Enter", "Envelope", true)],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    set.encode_to_vec()
}

const ENTER: &str = "/accounts.Accounts/Enter";

fn everything(verifier: &Verifier) -> JVerifyBuilder<Verifier> {
    builder(verifier).accept([Media::Json, Media::Form, Media::Grpc]).descriptors(descriptors())
}

fn named(token: &str, phone: &str) -> Ask {
    number().token(Field::body(token)).phone(Field::body(phone)).into()
}

/// `Who`, by hand: fields of an envelope, each a field with its key.
fn who(fields: &[&[u8]]) -> Vec<u8> {
    let who = fields.concat();
    frame(&[&[0x0a, u8::try_from(who.len()).unwrap()], who.as_slice()].concat())
}

const TEXT_TOKEN: &[u8] = b"\x22\x03tok";
const PASSWORD: &[u8] = b"\x2a\x03pwd";
/// 13812345678.
const INTEGER_PHONE: &[u8] = b"\x78\xce\xde\xaa\xba\x33";

#[tokio::test]
async fn one_rule_reads_json_and_grpc_by_the_same_names() {
    let guarded = Guarded::with(|verifier| everything(verifier).rule(Rule::post(LOGIN, number())).build().unwrap());
    guarded.verifies(call(good()), "gRPC").await;
    guarded.verifies(post_json(LOGIN, format!(r#"{{"token":"{TOKEN}","phone":"{PHONE}"}}"#)), "JSON").await;
    asked_for_the_good_login(&guarded);
    let twice = [LoginRequest::good().encode_to_vec(), LoginRequest::good().encode_to_vec()].concat();
    refuses(&guarded, call(frame(&twice)), "proof_malformed", "twice").await;
}

#[tokio::test]
async fn before_a_foreign_backend_a_message_hides_no_form() {
    let before = |backend| {
        Guarded::with(|verifier| {
            everything(verifier).foreign_backend(backend).rule(Rule::post(LOGIN, number())).build().unwrap()
        })
    };
    let login = |device: &str| {
        let devices = vec!["one".into(), device.into()];
        call(frame(&LoginRequest { devices, ..LoginRequest::good() }.encode_to_vec()))
    };
    let guarded = before(ForeignBackend::any());
    for device in ["&token=x&phone=13999998888&z=", ";phone=13999998888", "a&Ph%6fne[]", "&model.phone=13999998888"] {
        let response = guarded.send(login(device)).await;
        let denial = denial(&response);
        assert_eq!((denial.code(), denial.suspicion()), ("proof_malformed", Some(Suspicion::HiddenForm)), "{device}");
    }
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, 0));
    for device in ["Tom & Jerry; a phone & more", "phone=13999998888", "&phones=1"] {
        guarded.verifies(login(device), device).await;
    }
    let off = before(ForeignBackend::any().without_hidden_forms());
    off.verifies(login("&phone=13999998888"), "switched off").await;
}

#[tokio::test]
async fn names_are_found_in_messages_within_and_streams_are_known() {
    for (token, phone) in [
        ("/who/login_token", "/who/phone"),
        ("/who/loginToken", "/who/15"),
        ("/1/loginToken", "/1/15"),
        ("/1/4", "/1/15"),
    ] {
        let rule = Rule::post(ENTER, named(token, phone));
        let guarded = Guarded::with(|verifier| everything(verifier).rule(rule).build().unwrap());
        let body = [who(&[TEXT_TOKEN, INTEGER_PHONE]), frame(b"the stream goes on")].concat();
        let mut request = call(body.clone());
        *request.uri_mut() = ENTER.parse().unwrap();
        assert_eq!(guarded.verifies(request, token).await.body.unwrap(), body);
    }
}

#[tokio::test]
async fn what_the_application_would_not_see_is_no_proof() {
    let rule = Rule::post(ENTER, named("/who/login_token", "/who/phone"));
    let guarded = Guarded::with(|verifier| everything(verifier).rule(rule).build().unwrap());
    let request = |body: Vec<u8>| {
        let mut request = call_with(&[], Full::new(Bytes::from(body)));
        *request.uri_mut() = ENTER.parse().unwrap();
        request
    };
    for (code, body, what) in [
        ("proof_malformed", who(&[TEXT_TOKEN, INTEGER_PHONE, PASSWORD]), "replaced by another of its oneof"),
        ("proof_malformed", who(&[PASSWORD, TEXT_TOKEN, INTEGER_PHONE]), "replacing another of its oneof"),
        ("proof_missing", who(&[PASSWORD, INTEGER_PHONE]), "another of its oneof alone"),
        ("proof_malformed", who(&[TEXT_TOKEN, b"\x7a\x0b13812345678"]), "a text where an integer is read"),
        ("proof_malformed", who(&[b"\x20\x01", INTEGER_PHONE]), "an integer where a text is read"),
    ] {
        refuses(&guarded, request(body), code, what).await;
    }
    guarded.verifies(request(who(&[TEXT_TOKEN, INTEGER_PHONE])), "nothing but the proof").await;
}

#[test]
fn a_name_that_the_message_does_not_have_is_an_error_at_start() {
    let refused = |path: &str, ask: Ask| {
        let rule = Rule::post(path, ask).accept([Media::Grpc]);
        JVerifyLayer::builder(Verifier::passing()).descriptors(descriptors()).rule(rule).build().unwrap_err()
    };
    for (path, token, phone, at_fault) in [
        (LOGIN, "/tokn", "/phone", "body /tokn"),
        (LOGIN, "/token", "/who/phone", "body /who/phone"),
        (LOGIN, "/devices", "/phone", "body /devices"),
        (LOGIN, "/9", "/phone", "body /9"),
        (LOGIN, "/token/x", "/phone", "body /token/x"),
        (ENTER, "/who/key", "/who/phone", "body /who/key"),
        (ENTER, "/who/login_token", "/who/loginToken", "body /who/loginToken"),
    ] {
        let error = refused(path, named(token, phone));
        assert_eq!((error.setting(), error.value()), ("field", Some(at_fault)), "{error}");
    }
    assert_eq!(refused("/accounts.Accounts/Logout", number().into()).setting(), "accept");
    assert_eq!(refused(LOGIN, captcha().into()).setting(), "field");
    assert_eq!(refused(ENTER, captcha().content(Field::body("/who")).into()).setting(), "field");
}

#[test]
fn descriptors_that_are_none_or_say_otherwise_are_an_error_at_start() {
    let rule = || Rule::post(LOGIN, number()).accept([Media::Grpc]);
    let setting = |rule: Rule| builder(&Verifier::passing()).rule(rule).build().unwrap_err().setting();
    assert_eq!(setting(rule().descriptors(Bytes::from_static(b"\xff"))), "descriptors");
    assert_eq!(setting(rule().descriptors(descriptors()).client_streaming(true)), "client_streaming");
}
