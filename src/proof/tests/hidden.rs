//! Forms inside of bodies that are not forms, as bytes.

use super::{super::hidden::hidden_form, *};
use crate::foreign_backend::{ForeignBackend, Suspicion};

fn before(backend: &ForeignBackend) -> Plan {
    login().before(backend, &[Field::body("/token"), Field::body("/phone")], &[Role::Other, Role::Phone])
}

#[test]
fn a_form_reader_may_begin_anywhere_in_a_frame() {
    let plan = before(&ForeignBackend::any());
    for bytes in [
        // A frame of 38 bytes: its length ends in `&`.
        &b"\0\0\0\0&phone=1"[..],
        b"\0\0\0\0\x0a\x0a\x08&token=x",
        b"\x1f\x8b\x08\x10\0\0\0\0\0\xff;phone=13912345678\0\x03\0",
        b"phone=1",
        b"\xef\xbb\xbfphone=1",
        b"?phone",
        b"\xff&p\xffhone=1",
        b"\0phone=1",
    ] {
        let outcome = hidden_form(&plan, bytes);
        let is_hidden = matches!(outcome, Err(Unreadable::Suspicious(Suspicion::HiddenForm, _)));
        assert!(is_hidden, "{}: {outcome:?}", bytes.escape_ascii());
        assert_eq!(hidden_form(&before(&ForeignBackend::any().without_hidden_forms()), bytes), Ok(()));
        assert_eq!(hidden_form(&login(), bytes), Ok(()), "no foreign backend");
    }
    for bytes in [&b""[..], b"&", b"\0\0\0\0\x0a\x0a\x08phonephone", b"phones=1&xphone=2&x=phone", b"a&%&%u&%u00&%4"] {
        assert_eq!(hidden_form(&plan, bytes), Ok(()), "{}", bytes.escape_ascii());
    }
}
