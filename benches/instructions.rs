//! Figures counted in instructions: this program runs itself under callgrind, once with so many requests and once with
//! twice as many, and takes the difference. What a few requests cost at first (dialling, growing) is in neither.

mod support;

use std::{env, hint::black_box};

use serde_json::Value;
use support::{
    GUARDS_ON, Guarded, JPushProcess, LoginRequest, Place, Sample, Table, Target, at_once, has_valgrind, instructions,
};

/// Says what to run: the work, its number of requests, and where JPush is.
const FLAG: &str = "--work";

fn main() {
    support::serve_if_asked();
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, work, requests, jpush] = arguments.as_slice()
        && flag == FLAG
    {
        let jpush = jpush.parse().expect("a place");
        return run(work, requests.parse().expect("a number"), &jpush);
    }
    if !has_valgrind() {
        println!("instructions: skipped, valgrind is not installed");
        return;
    }

    let jpush = JPushProcess::start();
    let place = jpush.place.line();
    let cost = |work: &str, requests: usize, within: Option<&str>| {
        let arguments = |requests: usize| [FLAG, work, &requests.to_string(), &place].map(str::to_owned).to_vec();
        instructions(work, requests, within, arguments)
    };
    let mut table = Table::default();

    let guarded = |which: &str| cost(&format!("guarded {which}"), 400, None);
    let (ours, by_hand, unguarded) = (guarded("ours"), guarded("by-hand"), guarded("unguarded"));
    let of = format!("{ours:.0} / {by_hand:.0}; {unguarded:.0} of both are the request and axum");
    table.row("guarded request over hand-written", ours / by_hand, Target::AtMost(0.45), &of);
    // aws-lc-rs collects entropy when it is first used, in any number of instructions.
    let tls = cost("guarded tls", 400, Some("*support::measured*"));
    let of = format!("{tls:.0} / {ours:.0}");
    table.row("guarded request, JPush over TLS over plain", tls / ours, Target::AtMost(1.20), &of);

    // So many that the memory of claims grows as it does when it is large.
    let guarded = |which: &str| cost(&format!("guarded {which}"), 4000, None);
    let (off, on) = (guarded("guards-off"), guarded("guards-on"));
    let of = format!("{on:.0} - {off:.0}");
    table.row(GUARDS_ON, (on - off).round(), Target::AtMost(3000.0), &of);
    let (off, on) = (guarded("clients-off"), guarded("clients-on"));
    let of = format!("{on:.0} - {off:.0}");
    table.row("the same, where clients are known", (on - off).round(), Target::Reported, &of);

    if cfg!(feature = "pass") {
        let (none, signed) = (ours, cost("guarded assertion", 400, None));
        let of = format!("{signed:.0} - {none:.0}");
        table.row("guarded request, with an assertion over without", (signed - none).round(), Target::Reported, &of);
        let signature = cost("guarded assertion", 400, Some("*Key::sign*"));
        table.row("one signature of Ed25519, with its claims", signature.round(), Target::Reported, "");
    }

    let unmatched = |method: &str, headers: usize| {
        let under = |layer: &str| cost(&format!("unmatched {layer} {headers} {method}"), 2000, None);
        (under("layer"), under("identity"))
    };
    let ((three, bare), (eight, bare_eight)) = (unmatched("POST", 3), unmatched("POST", 8));
    let of = format!("{three:.0} - {bare:.0}");
    let figure = "unmatched request, 3 headers, 4 rules, over identity";
    table.row(figure, (three - bare).round(), Target::AtMost(700.0), &of);
    let on = cost("unmatched guards-on 3 POST", 2000, None);
    let of = format!("{on:.0} - {three:.0}");
    table.row("the same, guards on over off", (on - three).round(), Target::AtMost(20.0), &of);
    let (get, bare_get) = unmatched("GET", 3);
    let of = format!("{get:.0} - {bare_get:.0}");
    table.row("the same, of a method without a rule", (get - bare_get).round(), Target::AtMost(850.0), &of);
    let further = ((eight - bare_eight) - (three - bare)) / 5.0;
    table.row("unmatched request, a further header", further, Target::AtMost(30.0), "");
    let foreign = |headers: usize| cost(&format!("unmatched foreign {headers} POST"), 2000, None);
    let (foreign_three, foreign_eight) = (foreign(3), foreign(8));
    let of = format!("{foreign_three:.0} - {bare:.0}");
    table.row("unmatched, `foreign_backend`", (foreign_three - bare).round(), Target::AtMost(2000.0), &of);
    let further = ((foreign_eight - bare_eight) - (foreign_three - bare)) / 5.0;
    table.row("unmatched, `foreign_backend`, a further header", further, Target::Reported, "");

    for (bytes, requests, most) in [(200, 2000, 0.40), (2 * 1024, 400, 0.28), (64 * 1000, 20, 0.22)] {
        let ours = cost(&format!("json layer {bytes}"), requests, Some("*Plan*::read_body*"));
        let value = cost(&format!("json value {bytes}"), requests, Some("*two_of_value*"));
        let of = format!("{ours:.0} / {value:.0}");
        table.row(&format!("two fields out of {bytes} B JSON over `Value`"), ours / value, Target::AtMost(most), &of);
    }
    let ours = cost("form layer 0", 2000, Some("*Plan*::read_body*"));
    let decoded = cost("form decoded 0", 2000, Some("*two_of_form*"));
    let of = format!("{ours:.0} / {decoded:.0}");
    table.row("two fields out of a form over `form_urlencoded`", ours / decoded, Target::AtMost(0.35), &of);

    if cfg!(feature = "grpc") {
        let ours = cost("grpc layer 0", 2000, Some("*Plan*::read_body*"));
        let decoded = cost("grpc decoded 0", 2000, Some("*two_of_message*"));
        let of = format!("{ours:.0} / {decoded:.0}");
        table.row("two fields out of a gRPC message over `prost`", ours / decoded, Target::AtMost(0.30), &of);
    }

    let lookup = |rules: usize| cost(&format!("lookup layer {rules}"), 1000, Some("*Routes::find*"));
    let (one, thousand) = (lookup(1), lookup(1000));
    let of = format!("{thousand:.0} / {one:.0}");
    table.row("rule lookup among 1,000 exact rules over 1", thousand / one, Target::AtMost(1.5), &of);

    if cfg!(feature = "pass") {
        let denial = |passes: &str| cost(&format!("denied {passes}"), 400, None);
        let without = denial("none");
        for (figure, passes) in [("a pass of HS256, issued", "hs256"), ("a pass of Ed25519, issued", "ed25519")] {
            let with = denial(passes);
            table.row(figure, (with - without).round(), Target::Reported, &format!("{with:.0} - {without:.0}"));
        }
    }

    table.print("Instructions a request (callgrind)");
}

/// The work itself.
fn run(work: &str, requests: usize, jpush: &Place) {
    let mut words = work.split(' ');
    let (kind, which) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let size = words.next().and_then(|size| size.parse().ok()).unwrap_or_default();
    let sample = match kind {
        "form" => Sample::form(),
        "grpc" => Sample::grpc(),
        _ => Sample::json(size),
    };
    match (kind, which) {
        ("guarded", _) => support::guarded(which, jpush, requests),
        // For a profile of the memory: `valgrind --tool=massif`.
        ("at-once", _) => support::runtime().block_on(at_once(&Guarded::new(which, jpush), requests, 3)),
        ("denied", _) => support::runtime().block_on(support::stepped_up(which, requests)),
        ("unmatched", _) => {
            let method = words.next().and_then(|method| method.parse().ok()).unwrap_or_default();
            support::runtime().block_on(support::unmatched(which, &method, size, requests));
        }
        ("lookup", _) => support::runtime().block_on(support::looked_up(size, requests)),
        ("json" | "form" | "grpc", "layer") => support::runtime().block_on(support::layered(&sample, requests)),
        ("json", _) => (0..requests).for_each(|_| two_of_value(black_box(&sample.body))),
        ("grpc", _) => (0..requests).for_each(|_| two_of_message(black_box(&sample.body))),
        ("form", _) => (0..requests).for_each(|_| two_of_form(black_box(&sample.body))),
        _ => unreachable!("{work}"),
    }
}

#[inline(never)]
fn two_of_value(body: &[u8]) {
    let value: Value = serde_json::from_slice(body).expect("the sample is JSON");
    let field = |name| value.get(name).and_then(Value::as_str).expect("the sample has it");
    black_box((field("token"), field("phone")));
}

#[inline(never)]
fn two_of_form(body: &[u8]) {
    let mut fields = [None, None];
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "token" => fields[0] = Some(value),
            "phone" => fields[1] = Some(value),
            _ => {}
        }
    }
    black_box(fields);
}

#[inline(never)]
fn two_of_message(frame: &[u8]) {
    let message: LoginRequest = prost::Message::decode(frame.get(5..).unwrap_or_default()).expect("a message");
    black_box((message.token, message.phone));
}
