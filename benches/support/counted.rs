//! Counts per request: by difference, so that what the first requests cost (a connection, a table) is left out.

#![allow(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]

use std::{env, process::Command};

/// Whether instructions can be counted.
pub(crate) fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|valgrind| valgrind.status.success())
}

/// Instructions per request. This program runs itself under callgrind with the arguments for so many requests, and for twice as many.
/// `within`: counts only this function and what it calls.
pub(crate) fn instructions(
    name: &str,
    requests: usize,
    within: Option<&str>,
    arguments: impl Fn(usize) -> Vec<String>,
) -> f64 {
    let once = collected(name, within, &arguments(requests));
    let twice = collected(name, within, &arguments(requests * 2));
    assert!(twice > once, "{name}: nothing was counted; was the function inlined?");
    (twice - once) / requests as f64
}

/// As [`instructions`], counts allocations, those of all threads. A buffer that grows counts again.
pub(crate) fn allocations(name: &str, requests: usize, arguments: impl Fn(usize) -> Vec<String>) -> f64 {
    let counted = |requests: usize| {
        let written =
            run(name, &["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], &arguments(requests));
        let line = written.lines().find_map(|line| line.split_once("total heap usage:"));
        let count = line.and_then(|(_, counts)| counts.trim().split_once(' ')).map(|(count, _)| count.replace(',', ""));
        count.and_then(|count| count.parse::<f64>().ok()).expect("memcheck writes what it counted")
    };
    (counted(requests * 2) - counted(requests)) / requests as f64
}

fn collected(name: &str, within: Option<&str>, arguments: &[String]) -> f64 {
    let toggle = within.map(|within| format!("--toggle-collect={within}"));
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let options: Vec<&str> = tool.into_iter().chain(toggle.as_deref()).collect();
    let written = run(name, &options, arguments);
    let line = written.lines().find_map(|line| line.split_once("Collected :"));
    line.and_then(|(_, count)| count.trim().parse().ok()).expect("callgrind writes what it collected")
}

/// Runs this program under valgrind, and returns what that writes.
fn run(name: &str, options: &[&str], arguments: &[String]) -> String {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind").args(options).arg(program).args(arguments).output();
    let output = output.expect("valgrind starts");
    let written = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {written}");
    written
}
