//! *Every body that passes has one meaning for all readers*: the layer against readers of Rust, Python, Node and PHP, with
//! thousands of requests that readers may read differently. Every body that passes goes to every reader, whatever its type, as the
//! application gets it. No reader may find a guarded name with another value than the layer verified. A reader may find nothing, or
//! refuse the body.
//!
//! The requests are always the same, unless `DIFFERENTIAL_SEED` sets another number. `DIFFERENTIAL_BODIES` sets how many there are.
//! `docs/differences.md` lists the differences between readers, for which the layer refuses a body.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod bodies;
mod frameworks;
mod hidden;
mod layer;
mod parts;
mod peers;
mod readers;
mod record;
mod texts;
mod words;

use std::{collections::BTreeMap, env};

use self::{
    bodies::{Body, Chance, Fields, Kind},
    layer::{Accepted, Layer, Run},
    peers::{Part, Peers, Reading},
};

/// The readers, by name, that find a guarded name with another value; `None` when the layer refuses the body.
fn disagreeing(layer: &Layer, peers: &mut Peers, body: &Body) -> Option<Vec<(String, Reading)>> {
    let accepted = layer.accepts(body)?;
    let readings = peers.read(layer, &accepted, body.fields);
    Some(readings.into_iter().filter(|(name, reading)| is_other(layer, name, reading, &accepted)).collect())
}

fn is_other(layer: &Layer, name: &str, reading: &Reading, accepted: &Accepted) -> bool {
    // Model binding and parameter wrappers: only `foreign_backend` looks for the phone's name elsewhere.
    if layer.run() != Run::Foreign && (name == "any object of json" || name == "last segment of a form") {
        return false;
    }
    let Reading::Read(parts) = reading else { return false };
    parts.iter().zip(&accepted.read).any(|(part, verified)| match part {
        Part::Absent => false,
        Part::Text(text) => text != verified.as_bytes(),
        Part::Other(_) => true,
    })
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |number| number.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// The readers that find another value, each with the smallest request that shows it.
fn run(run: Run, usual: u64) -> BTreeMap<String, String> {
    let (layer, mut peers) = (Layer::new(run), Peers::start());
    let mut chance = Chance(number("DIFFERENTIAL_SEED", 20_260_801));
    let count = number("DIFFERENTIAL_BODIES", usual);
    let (mut accepted, mut refused) = (BTreeMap::new(), 0_u64);
    let mut found: BTreeMap<String, Body> = BTreeMap::new();
    for _ in 0..count {
        let body = Body::by(&mut chance);
        let Some(wrong) = disagreeing(&layer, &mut peers, &body) else {
            refused += 1;
            continue;
        };
        *accepted.entry((body.kind, body.fields)).or_insert(0_u64) += 1;
        for (name, _) in wrong {
            found.entry(name).or_insert_with(|| body.clone());
        }
    }
    println!("{run:?}: {count} requests, read by {:?}", peers.versions);
    println!("{run:?}: let in: {accepted:?}, refused: {refused}");
    // Bodies that are all refused would show nothing.
    let enough = |kind: Kind| {
        let let_in: u64 = accepted.iter().filter(|((of, _), _)| *of == kind).map(|(_, count)| count).sum();
        let_in > count / 100 || !run.takes(kind)
    };
    assert!([Kind::Json, Kind::Form, Kind::Multipart, Kind::Grpc].into_iter().all(enough), "too few: {accepted:?}");
    found.into_iter().map(|(name, body)| shown(&layer, &mut peers, name, body)).collect()
}

fn shown(layer: &Layer, peers: &mut Peers, name: String, body: Body) -> (String, String) {
    let body = body.reduced(|less| {
        disagreeing(layer, peers, less).is_some_and(|wrong| wrong.iter().any(|(other, _)| *other == name))
    });
    let let_in = layer.accepts(&body).unwrap();
    let theirs = peers.read(layer, &let_in, body.fields).into_iter().find(|(other, _)| *other == name);
    let shown = format!(
        "{:?}{} {}: let in as {:?}, reaches the application as {:?} {}, read as {theirs:?}",
        body.content_types,
        if body.gzip { " in gzip" } else { "" },
        body.bytes.escape_ascii(),
        let_in.read,
        let_in.content_type,
        let_in.body.escape_ascii(),
    );
    (name, shown)
}

fn finds_nothing(found: &BTreeMap<String, String>) {
    assert!(found.is_empty(), "read differently:\n{}", found.values().cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn with_foreign_backend_no_reader_finds_another_value() {
    finds_nothing(&run(Run::Foreign, 8_000));
}

#[test]
fn with_canonical_body_no_reader_finds_another_value() {
    finds_nothing(&run(Run::Canonical, 8_000));
}

#[test]
fn with_neither_no_reader_of_a_rust_application_finds_another_value() {
    finds_nothing(&run(Run::Plain, 20_000));
}

/// The readers that find a login in a call that passes as another one, each with the smallest request that shows it.
fn logins_in_calls(run: Run, usual: u64) -> BTreeMap<String, String> {
    let (layer, mut peers) = (Layer::shared(run), Peers::start());
    let is_login = |(name, reading): &(String, Reading)| {
        // Inner objects have a `type` too, and it does not belong to a login.
        let looks_elsewhere =
            name == "any object of json" || name == "last segment of a form" && layer.run() != Run::Foreign;
        let Reading::Read([token, _]) = reading else { return false };
        !looks_elsewhere
            && match token {
                Part::Absent => false,
                Part::Text(text) => text == layer::LOGIN.as_bytes(),
                Part::Other(other) => other.contains(&format!("\"{}\"", layer::LOGIN)),
            }
    };
    let mut chance = Chance(number("DIFFERENTIAL_SEED", 20_261_128));
    let count = number("DIFFERENTIAL_BODIES", usual);
    let (mut passed, mut found) = (0_u64, BTreeMap::new());
    for _ in 0..count {
        let body = Body::by(&mut chance);
        let Some(accepted) = layer.accepts(&body) else { continue };
        passed += 1;
        for (name, reading) in peers.read(&layer, &accepted, body.fields).into_iter().filter(is_login) {
            let shown = format!("{:?} {}: {reading:?}", body.content_types, body.bytes.escape_ascii());
            found.entry(name.clone()).or_insert_with(|| format!("{name}: {shown}"));
        }
    }
    println!("{run:?}: {passed} of {count} requests pass as other calls");
    assert!(passed > count / 20, "too few: {passed}");
    found
}

#[test]
fn no_reader_finds_a_login_in_a_call_that_passes_as_another_one() {
    finds_nothing(&logins_in_calls(Run::Foreign, 4_000));
    finds_nothing(&logins_in_calls(Run::Canonical, 2_000));
    finds_nothing(&logins_in_calls(Run::Plain, 4_000));
}

#[test]
fn without_protection_readers_of_other_types_do_find_a_login_in_another_call() {
    let found = logins_in_calls(Run::Unprotected, 1_000);
    assert!(found.contains_key("form_urlencoded"), "{:?}", found.keys());
}

#[test]
fn a_line_break_before_the_first_boundary_changes_nothing_for_any_reader() {
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let body = format!("{}{}--b--\r\n", part("token", "t"), part("phone", "13812345678"));
    let [plain, with_line] =
        ["", "\r\n"].map(|line| Body::plain(Kind::Multipart, Fields::Default, format!("{line}{body}").as_bytes()));
    let mut peers = Peers::start();
    for run in [Run::Plain, Run::Foreign] {
        assert!(Layer::new(run).accepts(&with_line).is_some(), "{run:?}");
    }
    let mut all = |body: &Body| peers.all(&Accepted::as_it_came(body), Fields::Default);
    let (plain, with_line) = (all(&plain), all(&with_line));
    assert!(plain.iter().any(|(_, reading)| matches!(reading, Reading::Read([Part::Text(_), Part::Text(_)]))));
    for ((name, one), (_, other)) in plain.iter().zip(&with_line) {
        assert_eq!(one, other, "{name}");
    }
}

#[test]
fn with_neither_readers_of_other_types_do_find_another_value() {
    let found = run(Run::Unprotected, 1_000);
    assert!(found.contains_key("form_urlencoded"), "{:?}", found.keys());
    if env::var("CI").is_err() {
        return; // Some peers may be missing.
    }
    for reader in ["parse_qs", "URLSearchParams", "qs", "parse_str", "Express urlencoded of any type"] {
        assert!(found.contains_key(reader), "{reader} finds nothing: {:?}", found.keys());
    }
}
