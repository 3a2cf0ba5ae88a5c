//! *Whatever is let in, every parser reads the same proof from*: the layer against the parsers of Rust, Python, Node and
//! PHP, over thousands of bodies made to set them apart. Always the same bodies, unless `DIFFERENTIAL_SEED` (a number)
//! says otherwise; `DIFFERENTIAL_BODIES` says how many.
//!
//! Where the parsers differ among each other, and the layer therefore refuses, is recorded in `docs/differences.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod bodies;
mod layer;
mod peers;
mod record;
mod words;

use std::{collections::BTreeMap, env};

use self::{
    bodies::{Body, Chance},
    layer::Layer,
    peers::{Part, Peers, Reading},
};

/// The readers, by name, that read something else than the layer did; `None` when it refuses the body.
fn disagreeing(layer: &Layer, peers: &mut Peers, body: &Body) -> Option<Vec<(String, Reading)>> {
    let read = layer.accepts(body)?;
    let ours = Reading::Read(read.map(|text| Part::Text(text.into_bytes())));
    Some(peers.read(body).into_iter().filter(|(name, theirs)| *theirs != ours && !is_known(name, theirs)).collect())
}

/// PHP has no objects with keys that begin with NUL: asked for objects it refuses the whole body. That is no other
/// reading, and only this reader may refuse what the layer lets in.
fn is_known(name: &str, reading: &Reading) -> bool {
    name == "json_decode to objects" && *reading == Reading::Refused
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |number| number.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn every_parser_reads_what_the_layer_read_from_whatever_it_lets_in() {
    let (layer, mut peers) = (Layer::new(), Peers::start());
    let mut chance = Chance(number("DIFFERENTIAL_SEED", 20_260_801));
    let count = number("DIFFERENTIAL_BODIES", 20_000);
    let (mut accepted, mut refused, mut differing) = (BTreeMap::new(), 0_u64, BTreeMap::new());
    let mut found: BTreeMap<String, Body> = BTreeMap::new();
    for _ in 0..count {
        let body = Body::by(&mut chance);
        match disagreeing(&layer, &mut peers, &body) {
            None => {
                refused += 1;
                for name in record::differing(&peers.read(&body)) {
                    *differing.entry(name).or_insert(0_u64) += 1;
                }
            }
            Some(wrong) => {
                *accepted.entry((body.kind, body.fields)).or_insert(0_u64) += 1;
                for (name, _) in wrong {
                    found.entry(name).or_insert_with(|| body.clone());
                }
            }
        }
    }
    println!("{count} bodies, read by {:?}", peers.versions);
    println!("let in: {accepted:?}");
    println!("refused: {refused}, of them read otherwise than serde_json or form_urlencoded do: {differing:?}");
    let found: Vec<_> = found
        .into_iter()
        .map(|(name, body)| {
            let body = body.reduced(|less| {
                disagreeing(&layer, &mut peers, less).is_some_and(|wrong| wrong.iter().any(|(other, _)| *other == name))
            });
            let theirs = peers.read(&body).into_iter().find(|(other, _)| *other == name);
            format!("{}: let in as {:?}, read as {theirs:?}", body.bytes.escape_ascii(), layer.accepts(&body))
        })
        .collect();
    assert!(found.is_empty(), "read differently:\n{}", found.join("\n"));
    // Bodies that are all refused would show nothing.
    assert!(accepted.len() == 5 && accepted.values().all(|let_in| *let_in > count / 100), "too few: {accepted:?}");
}
