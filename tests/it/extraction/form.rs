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
        "token=t&phone=",
        "token=&phone=13812345678",
        "token=%00&phone=13812345678",
        "token=a%0d%0ab&phone=13812345678",
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
        "",
    ];
    refuses_each(&guarded, post_form, bodies.map(|body| ("body_malformed", body))).await;
    guarded.refuses(post_form(&b"token=t&phone=13812345678&x=\xff"[..]), "body_malformed", "a raw byte").await;
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
    guarded.refuses(post_form(crate::support::LOGIN), "proof_missing", "JSON as a form").await;
}
