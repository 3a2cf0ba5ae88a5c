//! The regression gate: instructions and allocations of five paths against `benches/baseline.json`, with 3 % of room.
//!
//! A count depends on the compiler, the C library, the processor's architecture and the features. The baseline names them. With others
//! the gate prints its table and does not fail. `cargo bench --features metrics,pass --bench gate -- --bless` writes a new baseline.

mod support;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};

use http::Method;
use serde::{Deserialize, Serialize};
use support::{JPushProcess, Place, allocations, has_valgrind, instructions, quick};

/// The argument before the work: its name, its number of requests, and where JPush is.
const FLAG: &str = "--work";
/// The argument that makes what is measured now the baseline.
const BLESS: &str = "--bless";
/// How many times its baseline a count may be.
const ROOM: f64 = 1.03;
/// What `guarded` is: checked with all guards, each time another token. `refused`: by JPush. `unmatched`: by four rules. `abandoned`: the
/// client leaves during the check. `shadow`: as `guarded`, with the rule in shadow.
const PATHS: [&str; 5] = ["guarded", "refused", "unmatched", "abandoned", "shadow"];

/// The file `baseline.json`.
#[derive(Deserialize, Serialize)]
struct Baseline {
    #[serde(flatten)]
    with: With,
    paths: BTreeMap<String, Counts>,
}

/// What the counts depend on.
#[derive(Deserialize, PartialEq, Serialize)]
struct With {
    compiler: String,
    c_library: String,
    architecture: String,
    features: String,
}

/// Of one request.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Counts {
    instructions: f64,
    allocations: f64,
}

fn main() {
    support::serve_if_asked();
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, path, requests, jpush] = arguments.as_slice()
        && flag == FLAG
    {
        let jpush = jpush.parse().expect("a place");
        return run(path, requests.parse().expect("a number"), &jpush);
    }
    // The CI runs it by itself, so that a missed target is not taken for a regression.
    if quick() {
        return;
    }
    if !has_valgrind() {
        println!("gate: skipped, valgrind is not installed");
        return;
    }
    let now = Baseline::measure(&JPushProcess::start());
    if arguments.iter().any(|argument| argument == BLESS) {
        let text = serde_json::to_string_pretty(&now).expect("numbers and texts are JSON");
        fs::write(file(), text + "\n").expect("the baseline can be written");
        println!("gate: wrote {}", file().display());
        return;
    }
    let before = fs::read_to_string(file()).expect("the baseline can be read");
    let before: Baseline = serde_json::from_str(&before).expect("the baseline is valid");
    let is_worse = print(&before, &now);
    if before.with != now.with {
        println!("gate: the baseline was counted with something else, so nothing is compared");
        println!("    baseline: {}\n    now:      {}\n", before.with.text(), now.with.text());
    } else if is_worse {
        println!("gate: a count is above its baseline by more than 3 %. If that is wanted, write a new baseline:");
        println!("    cargo bench --features metrics,pass --bench gate -- {BLESS}\n");
        std::process::exit(1);
    }
}

/// Returns whether a count is above its baseline and the room over it, or has none.
fn print(before: &Baseline, now: &Baseline) -> bool {
    let mut is_worse = false;
    println!("\nRegression gate: one request, against benches/baseline.json\n");
    println!("{:<12}{:<14}{:>12}{:>12}{:>9}", "path", "count", "baseline", "now", "change");
    for (path, now) in &now.paths {
        let before = before.paths.get(path);
        let counts = [
            ("instructions", before.map(|before| before.instructions), now.instructions),
            ("allocations", before.map(|before| before.allocations), now.allocations),
        ];
        for (count, before, now) in counts {
            let Some(before) = before else {
                is_worse = true;
                println!("{path:<12}{count:<14}{:>12}{now:>12.1}  no baseline", "-");
                continue;
            };
            let worse = now > before * ROOM;
            is_worse |= worse;
            let change = if before > 0.0 { (now / before - 1.0) * 100.0 } else { 0.0 };
            let mark = if worse { "  WORSE" } else { "" };
            println!("{path:<12}{count:<14}{before:>12.1}{now:>12.1}{change:>+8.1}%{mark}");
        }
    }
    println!();
    is_worse
}

/// The work of one path.
fn run(path: &str, requests: usize, jpush: &Place) {
    match path {
        "unmatched" => support::runtime().block_on(support::unmatched("guards-on", &Method::POST, 3, requests)),
        "guarded" => support::guarded("guards-on", jpush, requests),
        _ => support::guarded(path, jpush, requests),
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/baseline.json")
}

// === impl Baseline ===

impl Baseline {
    fn measure(jpush: &JPushProcess) -> Self {
        let paths = PATHS.map(|path| (path.to_owned(), Counts::measure(path, &jpush.place)));
        Self { with: With::now(), paths: BTreeMap::from(paths) }
    }
}

// === impl With ===

impl With {
    fn now() -> Self {
        Self {
            compiler: said("rustc", &["--version"]),
            c_library: said("getconf", &["GNU_LIBC_VERSION"]),
            architecture: env::consts::ARCH.to_owned(),
            features: [("metrics", cfg!(feature = "metrics")), ("pass", cfg!(feature = "pass"))]
                .into_iter()
                .filter_map(|(feature, is_on)| is_on.then_some(feature))
                .fold("default".to_owned(), |all, feature| format!("{all}, {feature}")),
        }
    }

    fn text(&self) -> String {
        let Self { compiler, c_library, architecture, features } = self;
        format!("{compiler}; {c_library}; {architecture}; features {features}")
    }
}

/// What a program prints, or that it cannot be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(
        || format!("unknown ({program} fails)"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

// === impl Counts ===

impl Counts {
    fn measure(path: &str, jpush: &Place) -> Self {
        let arguments =
            |requests: usize| [FLAG, path, &requests.to_string(), &jpush.line()].map(str::to_owned).to_vec();
        // So many that the memory of claims grows as it does when it is large.
        let requests = 2000;
        let instructions = instructions(path, requests, None, arguments).round();
        let allocations = allocations(path, requests, arguments);
        // To a tenth: a table that grows now and then counts a little.
        Self { instructions, allocations: (allocations * 10.0).round() / 10.0 }
    }
}
