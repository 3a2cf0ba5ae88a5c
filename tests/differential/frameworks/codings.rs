//! Backends that do not decode encoded bodies.

use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder};

use super::{Backend, FORM, Fronts, JSON, MINE, VICTIM, both, form, request};

fn encoded(content_type: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    request("POST", "/login", &[("Content-Type", content_type), ("Content-Encoding", coding)], body)
}

/// A good form, and another one in the header of the gzip member.
fn hidden(comment: bool) -> Vec<u8> {
    let text = format!("&token=x&phone={VICTIM}&z=");
    let header = if comment { GzBuilder::new().comment(text) } else { GzBuilder::new().filename(text) };
    let mut encoder = header.write(Vec::new(), Compression::default());
    encoder.write_all(form(MINE).as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// JSON in a stored block: the encoded bytes hold it as it is, and so the form in it.
fn stored() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(both(MINE, VICTIM).as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A second member, or bytes behind the first, that hold another form.
fn behind() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(form(MINE).as_bytes()).unwrap();
    [encoder.finish().unwrap(), format!("&token=x&phone={VICTIM}&z=").into_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn php_and_node_that_do_not_decode() {
    let node = Backend::node().map(|node| (node.named("raw"), "login", node));
    let php = Backend::php().map(|php| (php.address(), "$_POST", php));
    for (address, reader, _backend) in [node, php].into_iter().flatten() {
        let fronts = Fronts::before(address).await;
        for coding in ["gzip", "x-gzip"] {
            fronts.attack_on_the_body(reader, &encoded(FORM, coding, &hidden(true)), "a comment").await;
            fronts.attack_on_the_body(reader, &encoded(FORM, coding, &hidden(false)), "a file name").await;
            fronts.attack_on_the_body(reader, &encoded(FORM, coding, &behind()), "behind the first member").await;
        }
        // PHP's `parse_str` ends at the first NUL of the gzip header.
        if reader == "login" {
            fronts.attack_on_the_body(reader, &encoded(JSON, "gzip", &stored()), "a stored block").await;
        }
    }
}
