//! What deciding a path may cost at most, counted in instructions of `Routes::find`: 4,000 and 30 a byte, with a foreign backend
//! 8,000 and 100 a byte, for any path and routing parameters of together up to 8 KiB.
//!
//! A fixed corpus of hostile paths is measured first; then a seeded search changes the worst of them, keeps what costs most
//! for its length, and goes on from there. One callgrind process measures a whole generation: it writes a file for each path.

#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]

mod support;

use std::{env, fs, path::Path, process::Command};

use http::{Method, Uri};
use support::{Corpus, RULES, Random, Table, Target, below, changed, quick};

/// Says what to run: the rules, whether a foreign backend is behind them, and the file with the paths.
const FLAG: &str = "--paths";
/// How often each path is asked for. The last time is counted: at first the allocator has no memory of the right sizes at hand.
const TIMES: usize = 2;
/// Bytes of a path and its routing parameters.
const LONGEST: usize = 8 * 1024;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, rules, foreign, file] = arguments.as_slice()
        && flag == FLAG
    {
        return run(rules.parse().expect("a number"), foreign == "true", Path::new(file));
    }
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|valgrind| valgrind.status.success()) {
        println!("paths: skipped, valgrind is not installed");
        return;
    }
    let mut table = Table::default();
    for foreign in [false, true] {
        let mode = if foreign { "with `foreign_backend`" } else { "without" };
        let mut worst = measured_corpus(foreign);
        row(&mut table, &format!("corpus of {}, {mode}", worst.len()), &worst);
        worst.truncate(24);
        let generations = if quick() { 1 } else { 24 };
        let searched = search(worst, foreign, generations);
        row(&mut table, &format!("search of {generations} generations, {mode}"), &searched);
    }
    table.print("Instructions for a path over the bound (callgrind)");
}

fn row(table: &mut Table, figure: &str, sorted: &[Measured]) {
    let worst = sorted.first().expect("something was measured");
    let shown: String = worst.uri.escape_debug().take(100).collect();
    let of = format!("{} of {} bytes: {shown}", worst.cost, worst.uri.len());
    table.row(figure, worst.ratio, Target::AtMost(1.0), &of);
}

/// A path and its query, asked for among some of the rules.
#[derive(Clone)]
struct Measured {
    uri: String,
    cost: u64,
    /// Of the cost to the bound.
    ratio: f64,
}

/// The corpus among all rules, the worst first.
fn measured_corpus(foreign: bool) -> Vec<Measured> {
    let step = if quick() { 40 } else { 5 };
    let mut all = Vec::new();
    for rules in 0..RULES {
        // Each rules with another part of the corpus.
        let uris = Corpus::uris(rules, foreign, LONGEST).skip(rules).step_by(step);
        all.extend(measure(&uris.collect::<Vec<_>>(), rules, foreign));
    }
    all.sort_by(|one, other| other.ratio.total_cmp(&one.ratio));
    all
}

fn search(mut worst: Vec<Measured>, foreign: bool, generations: usize) -> Vec<Measured> {
    let mut random = Random::new(0x6a76_6572_6966_7900 + u64::from(foreign));
    for generation in 0..generations {
        let rules = generation % RULES;
        let uris: Vec<String> = (0..120)
            .filter_map(|_| {
                let parent = worst.get(below(&mut random, worst.len()))?;
                Some(changed(&mut random, &parent.uri, foreign)).filter(|uri| is_askable(uri))
            })
            .collect();
        worst.extend(measure(&uris, rules, foreign));
        worst.sort_by(|one, other| other.ratio.total_cmp(&one.ratio));
        worst.dedup_by(|one, other| one.uri == other.uri);
        worst.truncate(24);
    }
    worst
}

/// Whether a URI is one, has a path, and is not too long.
fn is_askable(uri: &str) -> bool {
    uri.len() <= LONGEST && uri.parse::<Uri>().is_ok_and(|uri| uri.path().starts_with('/') && uri.host().is_none())
}

fn measure(uris: &[String], rules: usize, foreign: bool) -> Vec<Measured> {
    let uris: Vec<&String> = uris.iter().filter(|uri| is_askable(uri)).collect();
    let folder = env::temp_dir().join(format!("jverify-paths-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the counts");
    let (list, out) = (folder.join("paths"), folder.join("counts"));
    let lines: Vec<&str> = uris.iter().map(|uri| uri.as_str()).collect();
    fs::write(&list, lines.join("\n")).expect("a file for the paths");
    let mut valgrind = Command::new("valgrind");
    // Otherwise glibc puts off a part of what it takes to free memory, and a later path that allocates would be counted for it.
    valgrind.env("GLIBC_TUNABLES", "glibc.malloc.mxfast=0");
    valgrind.args([
        "--tool=callgrind",
        "--dump-line=no",
        "--toggle-collect=*Routes*::find",
        "--dump-before=*next_path*",
    ]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(env::current_exe().expect("this program has a path"));
    valgrind.args([FLAG, &rules.to_string(), &foreign.to_string()]).arg(&list);
    let output = valgrind.output().expect("valgrind starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The first file, with the number 1, is of the time before the first path.
    let counted = |asked: usize| collected(&folder.join(format!("counts.{}", asked + 1)));
    let measured = uris.iter().enumerate().map(|(at, uri)| {
        let cost = counted((at + 1) * TIMES);
        assert!(cost > 0, "{uri}: nothing was counted; was the function inlined?");
        let bytes = counting_bytes(uri);
        let bound = if foreign { 8_000 + 100 * bytes } else { 4_000 + 30 * bytes };
        Measured { uri: (*uri).clone(), cost, ratio: cost as f64 / bound as f64 }
    });
    let measured = measured.collect();
    fs::remove_dir_all(&folder).expect("the folder is there");
    measured
}

/// What callgrind says in a file that it collected.
fn collected(file: &Path) -> u64 {
    let counts = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let line = counts.lines().rev().find_map(|line| line.strip_prefix("totals:").or(line.strip_prefix("summary:")));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The bytes of the path and its query, which may be one routing parameter.
fn counting_bytes(uri: &str) -> usize {
    let uri: Uri = uri.parse().expect("only URIs are measured");
    uri.path().len() + uri.query().map_or(0, str::len)
}

/// The work itself.
fn run(rules: usize, foreign: bool, file: &Path) {
    let paths = fs::read_to_string(file).expect("the file of the paths");
    let parsed = |uri: &str| uri.parse::<Uri>().expect("only URIs are written");
    let uris: Vec<Uri> = paths.lines().flat_map(|uri| std::iter::repeat_n(parsed(uri), TIMES)).collect();
    support::runtime().block_on(support::asked(rules, foreign, &Method::POST, uris, next_path));
}

/// Called before each path: callgrind writes what it has collected until then.
#[inline(never)]
fn next_path(at: usize) {
    std::hint::black_box(at);
}
