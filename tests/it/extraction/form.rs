//! Forms, read strictly.

use super::{post_form, refuses_each};
use crate::support::Guarded;

#[tokio::test]
async fn a_form_is_read_and_passed_on_as_it_came() {
    let guarded = Guarded::login();
    for body in [
        "token=t&phone=13812345678",
        "phone=%31%33812345678&token=a%2Bb+c",
        "&token=t&&phone=13812345678&",
        "%74oken=t&p%68one=13812345678&x",
        "token=a=b&phone=13812345678&note=1&note=2&x%5B%5D=%E4%BD%A0",
    ] {
        assert_eq!(guarded.verifies(post_form(body), body).await.body.unwrap(), body);
    }
}

#[tokio::test]
async fn a_guarded_name_twice_or_bent_is_refused() {
    let guarded = Guarded::login();
    let bodies = [
        "token=t&phone=13812345678&phone=13912345678",
        "token=t&phone=13812345678&phone",
        "token=t&phone=13812345678&%70hone=13912345678",
        "token=t&token=u&phone=13812345678",
        "token=t&phone[]=13812345678",
        "token=t&phone=13812345678&phone[]=13912345678",
        "token=t&phone=13812345678&phone%5B%5D=13912345678",
        "token=t&phone=13812345678&phone[0]=13912345678",
        "token=t&phone=13812345678&[phone]=13912345678",
        "token=t&phone=13812345678&phone.x=13912345678",
        "token=t&phone=13812345678&Phone=13912345678",
        "token=t&phone=13812345678&+phone=13912345678",
        "token=t&phone=13812345678&phone%00=13912345678",
        "token=t&phone=13812345678&to%E2%84%AAen=u",
        "token=%00&phone=13812345678",
        "token=a%0d%0ab&phone=13812345678",
        // qs reads no `token`, but `token=a]`.
        "token=a]=b&phone=13812345678",
        "token=a%5D=b&phone=13812345678",
        "token=a%5d==&phone=13812345678",
        // Some readers leave a byte order mark out.
        "token=%EF%BB%BFt&phone=13812345678",
    ];
    refuses_each(&guarded, post_form, bodies.map(|body| ("proof_malformed", body))).await;
}

#[tokio::test]
async fn a_form_that_backends_decode_differently_is_refused() {
    let guarded = Guarded::login();
    let bodies = [
        "token=t&phone=13812345678;phone=13912345678",
        "a;b&token=t&phone=13812345678",
        "token=t&phone=13812345678&x=%ff",
        "token=%ff&phone=13812345678",
        "token=t&phone=13812345678&x=%zz",
        "token=t&phone=13812345678&x=%",
        "token=t&phone=13812345678&x=%4",
        "token=t&phone=13812345678&%zz=x",
        "token=t&phone=13812345678&%ff",
        "token=t&phone=13812345678&x=%c0%af",
        "token=t&phone=13812345678&x=%ed%a0%80",
        "token=t&phone=13812345678&x=é",
        // `URLSearchParams` leaves the question mark out and reads the first phone.
        "?phone=13912345678&token=t&phone=13812345678",
        "?x=1&token=t&phone=13812345678",
        // js-yaml takes what follows the ampersand for an anchor, and the rest for a list of objects.
        "&a['phone':13912345678,'token':'x','&token=t&phone=13812345678&z=']",
        "&token=t&phone=13812345678&a['phone':13912345678]",
        // PHP's `parse_str` ends there.
        "x=\0&token=t&phone=13812345678",
        "",
    ];
    refuses_each(&guarded, post_form, bodies.map(|body| ("body_malformed", body))).await;
    guarded.refuses(post_form(&b"token=t&phone=13812345678&x=\xff"[..]), "body_malformed", "a raw byte").await;
}

/// PHP, qs, Node's `querystring` and Django read a thousand pairs and leave the rest.
#[tokio::test]
async fn a_form_of_more_than_a_thousand_pairs_is_refused() {
    let guarded = Guarded::login();
    for filler in ["&", "x=1&", "x[]&"] {
        let form = |pairs: usize| format!("{}token=t&phone=13812345678", filler.repeat(pairs - 2));
        guarded.verifies(post_form(form(1000)), "1000 pairs").await;
        guarded.refuses(post_form(form(1001)), "body_malformed", "1001 pairs").await;
    }
}

#[tokio::test]
async fn half_a_proof_in_a_form_is_refused() {
    let guarded = Guarded::login();
    let bodies = ["token=t", "phone=13812345678", "x=1", "&"];
    refuses_each(&guarded, post_form, bodies.map(|body| ("proof_missing", body))).await;
}

#[tokio::test]
async fn json_that_calls_itself_a_form_is_refused() {
    let guarded = Guarded::login();
    guarded.refuses(post_form(crate::support::LOGIN), "body_malformed", "JSON as a form").await;
    let both = r#"{"token":"x","phone":"13912345678","y":"&token=t&phone=13812345678&z="}"#;
    guarded.refuses(post_form(both), "body_malformed", "JSON and a form").await;
}
