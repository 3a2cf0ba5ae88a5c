//! The example `decision_log`: its lines, and a log that nothing reads.

use std::env;

use serde_json::Value;

use super::{curl, start};

#[tokio::test]
async fn the_decision_log_has_a_line_for_each_request() {
    let file = env::temp_dir().join(format!("tower-jverify-{}.ndjson", std::process::id()));
    let example = start("decision_log", &["--sandbox"], &[("DECISION_LOG", file.to_str().unwrap())]);
    let [(line, promised)] = &example.promises()[..] else { panic!("{}", example.printed) };
    assert_eq!(curl(line).await, *promised);
    assert!(curl(&line.replace("sandbox-9000-risk-450", "sandbox-9001")).await.ends_with(" 403"));
    let written = loop {
        let written = std::fs::read_to_string(&file).unwrap();
        if written.matches('\n').count() == 2 {
            break written;
        }
        tokio::task::yield_now().await;
    };
    std::fs::remove_file(&file).unwrap();
    assert!(!written.contains("13800000000") && !written.contains("127.0.0.1"), "{written}");
    let records: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["decision"], &records[0]["inner_status"]), (&"flag".into(), &200.into()));
    assert_eq!((&records[1]["decision"], &records[1]["reason"]), (&"deny".into(), &"rejected".into()));
    for field in ["phone", "client"] {
        assert!(records[0][field].is_string() && records[0][field] == records[1][field], "{written}");
    }
}

/// The lines that may wait, in the example and on its page.
#[cfg(target_os = "linux")]
fn queue() -> usize {
    let source = include_str!("../../../examples/decision_log.rs");
    let (_, declared) = source.split_once("const QUEUE: usize = ").unwrap();
    let queue = declared.split(';').next().unwrap();
    let page = include_str!("../../../docs/decision-log.md");
    assert!(page.contains(&format!("if more than {} wait for the disk", queue.replace('_', ","))));
    queue.replace('_', "").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_decision_log_that_is_not_written_blocks_no_request_and_drops_the_lines_beyond_the_queue() {
    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        net::unix::pipe,
    };
    let file = env::temp_dir().join(format!("tower-jverify-{}.fifo", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    // A full pipe: the thread of the log blocks in its first write.
    let mut options = pipe::OpenOptions::new();
    let filled = options.read_write(true).open_sender(&file).unwrap();
    filled.writable().await.unwrap();
    while filled.try_write(&[b'\n'; 4096]).is_ok() {}
    let example = start("decision_log", &["--sandbox"], &[("DECISION_LOG", file.to_str().unwrap())]);
    let url = format!("http://{}/login", example.address);
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
    let send = async |body: &str| {
        let request = client.post(&url).header("content-type", "application/json").body(body.to_owned());
        request.send().await.expect("the log blocks the request").status().as_u16()
    };
    let beyond = 100;
    for _ in 0..queue() + beyond {
        assert_eq!(send("{}").await, 400);
    }

    // Now the log is read: it has the line that was being written, and those of the queue.
    let mut lines = BufReader::new(options.open_receiver(&file).unwrap()).lines();
    let mut records = Vec::new();
    let mut next = async || -> Value {
        loop {
            match lines.next_line().await.unwrap() {
                Some(line) if line.is_empty() => {}
                Some(line) => return serde_json::from_str(&line).expect("a whole line"),
                None => panic!("the log is closed"),
            }
        }
    };
    for _ in 0..queue() {
        records.push(next().await);
    }
    assert_eq!(send(r#"{"token":"sandbox-9001","phone":"13800000000"}"#).await, 403);
    while records.last().is_none_or(|record| record["reason"] != "rejected") {
        records.push(next().await);
    }
    std::fs::remove_file(&file).unwrap();
    let (last, missing) = records.split_last().unwrap();
    assert_eq!(last["decision"], "deny");
    assert!(missing.iter().all(|record| record["reason"] == "proof_missing"));
    assert!((queue()..=queue() + 1).contains(&missing.len()), "{}", missing.len());
}
