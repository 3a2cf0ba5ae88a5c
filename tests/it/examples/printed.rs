//! Each line that an example prints has the answer that it prints.

use std::{env, process::Command};

use prost::Message;

use super::{Example, command, curl, finish};
use crate::grpc::{LoginRequest, unary};

#[tokio::test]
async fn the_axum_application_and_the_proxy_answer_as_they_print_and_alike() {
    let mut tables = Vec::new();
    for name in ["axum_login", "hyper_proxy"] {
        let example = Example::sandboxed(name);
        let promises = example.promises();
        let mut statuses: Vec<String> = Vec::new();
        for (line, promised) in &promises {
            assert_eq!(curl(line).await, *promised, "{name}: {line}");
            statuses.push(promised.rsplit(' ').next().unwrap().to_owned());
        }
        for status in ["200", "400", "403", "429", "503"] {
            assert!(statuses.iter().any(|told| told == status), "{name} shows no {status}");
        }
        let address = example.address.to_string();
        tables.push(promises.into_iter().map(|(line, told)| (line.replace(&address, ""), told)).collect::<Vec<_>>());
    }
    assert_eq!(tables[0], tables[1]);
}

#[tokio::test]
async fn the_application_that_checks_the_password_first_answers_as_it_prints() {
    let example = Example::sandboxed("password_first");
    let promises = example.promises();
    for (line, promised) in &promises {
        assert_eq!(curl(line).await, *promised, "{line}");
    }
    assert_eq!(promises.len(), 3);
}

#[tokio::test]
async fn the_application_that_rolls_out_answers_as_it_prints() {
    let example = Example::sandboxed("rollout");
    let promises = example.promises();
    for (line, promised) in &promises {
        assert_eq!(curl(line).await, *promised, "{line}");
    }
    assert_eq!(promises.len(), 8);
}

#[tokio::test]
async fn the_application_that_steps_up_answers_as_it_prints_and_as_the_page_says() {
    let example = Example::sandboxed("step_up");
    let page = include_str!("../../../docs/step-up.md");
    let promises = example.promises();
    let client = reqwest::Client::new();
    let mut pass = String::new();
    for (line, promised) in &promises {
        assert!(page.contains(&line.replace(&example.address.to_string(), "127.0.0.1:3000")), "{line}");
        let body = line.rsplit_once("-d '").unwrap().1.trim_end_matches('\'');
        let mut request = client.post(format!("http://{}/login", example.address)).body(body.to_owned());
        request = request.header("content-type", "application/json");
        if line.contains("\"x-jverify-pass: $PASS\"") {
            request = request.header("x-jverify-pass", &pass);
        }
        let response = request.send().await.unwrap();
        let (status, issued) = (response.status(), response.headers().get("x-jverify-pass").cloned());
        let issued = issued.map(|pass| pass.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let answer = format!("{text} {} {}", status.as_u16(), issued.as_deref().unwrap_or_default());
        let answer = issued.as_ref().map_or(answer.clone(), |pass| answer.replace(pass, "$PASS"));
        assert_eq!(answer.trim_end(), promised, "{line}");
        pass = issued.unwrap_or(pass);
    }
    assert_eq!(promises.len(), 5);
    // The page shows the first document, with a pass that is cut.
    let (document, _) = promises[0].1.split_once(" 403 ").unwrap();
    let document = document.replace("$PASS", "eyJ0eXAiOi…");
    assert!(page.contains(&format!("```json\n{document}\n```")), "{document}");
}

#[test]
fn the_readmes_show_what_the_axum_application_prints() {
    let example = Example::sandboxed("axum_login");
    let promises: Vec<_> = example.promises();
    let address = example.address.to_string();
    for readme in [include_str!("../../../README.md"), include_str!("../../../README.zh-CN.md")] {
        let lines: Vec<&str> = readme.lines().collect();
        let shown: Vec<_> = lines.windows(2).filter(|pair| pair[0].starts_with("curl ")).collect();
        assert_eq!(shown.len(), 3);
        for pair in shown {
            let line = pair[0].replace("127.0.0.1:3000", &address);
            let answer = pair[1].strip_prefix("# ").unwrap_or_default().to_owned();
            assert!(promises.contains(&(line, answer)), "{}", pair[0]);
        }
    }
}

#[tokio::test]
async fn the_printed_lines_are_curl_s_own() {
    let examples = ["axum_login", "password_first", "rollout", "tonic_login"].map(Example::sandboxed);
    for (line, promised) in examples.iter().flat_map(Example::promises) {
        let output = Command::new("sh").args(["-c", &line]).output().expect("a shell starts");
        if output.status.code() == Some(127) {
            assert!(env::var_os("CI").is_none(), "no curl here");
            eprintln!("no curl here: not tested");
            return;
        }
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), promised, "{line}");
    }
    // Each of these sends the pass of an answer before it.
    let example = Example::sandboxed("step_up");
    let mut pass = String::new();
    for (line, promised) in example.promises() {
        let output = Command::new("sh").args(["-c", &line]).env("PASS", &pass).output().expect("a shell starts");
        let answer = String::from_utf8(output.stdout).unwrap();
        let issued = answer.trim_end().rsplit(' ').next().filter(|word| word.starts_with("ey")).map(str::to_owned);
        let shown = issued.as_ref().map_or(answer.clone(), |issued| answer.replace(issued, "$PASS"));
        assert_eq!(shown.trim_end(), promised, "{line}");
        pass = issued.unwrap_or(pass);
    }
}

#[test]
fn invalid_settings_end_an_example_with_their_names() {
    const CREDENTIALS: [(&str, &str); 2] = [("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "canary-5d1e")];
    let with = |more: (&'static str, &'static str)| [CREDENTIALS.as_slice(), &[more]].concat();
    let missing = &["JPUSH_APP_KEY", "JPUSH_MASTER_SECRET", "--sandbox"][..];
    for (flags, vars, named) in [
        (&[][..], vec![], missing),
        (&[], vec![("JPUSH_BASE_URL", "http://127.0.0.1:1")], missing),
        (&[], vec![CREDENTIALS[0]], &["JPUSH_MASTER_SECRET"]),
        (&[], vec![CREDENTIALS[1]], &["JPUSH_APP_KEY"]),
        (&[], vec![CREDENTIALS[0], ("JPUSH_MASTER_SECRET", "")], &["JPUSH_MASTER_SECRET", "empty"]),
        (
            &[],
            with(("JPUSH_BASE_URL", "http://jpush.example")),
            &["JPUSH_BASE_URL", "http://jpush.example", "loopback"],
        ),
        (&[], with(("LISTEN_ADDR", "nowhere")), &["LISTEN_ADDR", "nowhere"]),
        (&["--sandbox"], vec![("LISTEN_ADDR", "0.0.0.0:0")], &["LISTEN_ADDR", "0.0.0.0:0", "loopback"]),
        (&["--sandbox"], vec![("LISTEN_ADDR", "[::]:0")], &["LISTEN_ADDR", "[::]:0"]),
        (&["--sandbx"], vec![], &["--sandbx", "--sandbox"]),
    ] {
        for name in ["axum_login", "hyper_proxy", "password_first", "rollout", "tonic_login"] {
            let output = finish(name, flags, &vars);
            for named in named {
                assert!(output.contains(named), "{name} {flags:?} {vars:?} does not name {named}: {output}");
            }
            assert!(!output.contains("canary"), "{name}: {output}");
        }
    }
    for url in ["https://backend.example", "backend:80", "http://127.0.0.1:1/path", "http://127.0.0.1:1/?q"] {
        let output = finish("hyper_proxy", &["--sandbox"], &[("UPSTREAM_URL", url), ("LISTEN_ADDR", "127.0.0.1:0")]);
        assert!(output.contains("UPSTREAM_URL") && output.contains(url), "{url}: {output}");
    }
    let output = finish("sandbox", &[], &[("LISTEN_ADDR", "0.0.0.0:0")]);
    assert!(output.contains("LISTEN_ADDR"), "{output}");
    for flags in [&["--minutes", "1"] as &[_], &["--minutes"], &["--seed", "a"], &["--guarded", "1"], &["--hours", "1"]]
    {
        let output = finish("soak", flags, &[]);
        assert!(output.contains(flags[0]), "{flags:?}: {output}");
    }
}

#[test]
fn the_simulation_of_instances_bills_resent_logins_once_for_one_instance_alone() {
    let output = command("instances", &[], &[]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let row = |row: &str| {
        let cells: Vec<u32> = row.split(" | ").filter_map(|cell| cell.parse().ok()).collect();
        (cells[0], cells[1])
    };
    let rows: Vec<(u32, u32)> = printed.lines().filter_map(|line| line.strip_prefix("| ")).skip(1).map(row).collect();
    assert_eq!(rows.iter().map(|(instances, _)| *instances).collect::<Vec<_>>(), [1, 2, 4, 16], "{printed}");
    assert_eq!(rows[0].1, 5_000, "{printed}");
    assert!(rows[1..].iter().all(|(_, calls)| (5_001..=5_250).contains(calls)), "{printed}");
}

#[test]
fn the_soak_explains_its_flags() {
    let output = command("soak", &["--help"], &[]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in ["--minutes", "--seed", "--unmatched", "--guarded", "--redis", "--metrics"] {
        assert!(output.status.success() && help.contains(flag), "{flag}: {help}");
    }
}

#[tokio::test]
async fn the_grpc_service_answers_as_it_prints() {
    let example = Example::sandboxed("tonic_login");
    let promises = example.promises();
    assert_eq!(promises.len(), 4);
    for (line, promised) in promises {
        let rpc = line.split_once(&format!("{}/", example.address)).unwrap().1.split(' ').next().unwrap();
        let frame = printf(line.split('\'').nth(1).unwrap());
        let login = LoginRequest::decode(&frame[5..]).unwrap();
        let answered = match unary(example.address, &format!("/{rpc}"), login).await {
            Ok(text) => format!("{text}\ngrpc-status: 0"),
            Err(status) => format!("grpc-status: {}", status.code() as i32),
        };
        assert_eq!(answered, promised, "{line}");
    }
}

/// What `printf` makes of plain characters and three octal digits.
fn printf(escaped: &str) -> Vec<u8> {
    let mut parts = escaped.split('\\');
    let plain = parts.next().unwrap().as_bytes().to_vec();
    parts.fold(plain, |mut bytes, part| {
        bytes.push(u8::from_str_radix(&part[..3], 8).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[3..]);
        bytes
    })
}
