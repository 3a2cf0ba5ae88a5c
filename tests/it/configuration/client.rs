//! Invalid credentials and settings of the client.

use std::{process::Command, time::Duration};

use tower_jverify::{Credentials, JPush};

#[test]
fn credentials_that_are_none_are_refused_and_not_repeated() {
    for (app_key, secret) in [
        ("", "canary"),
        ("canary", ""),
        ("canary", "canary\n"),
        ("canary\n", "canary"),
        (" canary", "canary"),
        ("canary:x", "canary"),
    ] {
        let error = Credentials::new(app_key, secret).expect_err(app_key);
        assert_eq!((error.setting(), error.value()), ("credentials", None));
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn a_client_that_would_send_credentials_anywhere_unsafe_is_refused() {
    let builder = || JPush::builder(Credentials::new("app-key", "canary").unwrap());
    for url in [
        "http://api.verification.jpush.cn",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example.com",
        "ftp://api.verification.jpush.cn",
        "api.verification.jpush.cn",
        "",
    ] {
        let error = builder().base_url(url).build().expect_err(url);
        assert_eq!((error.setting(), error.value()), ("base_url", Some(url)));
    }
    for url in ["https://me:canary@jpush.cn", "https://canary@jpush.cn", "https://jpush.cn/?key=canary"] {
        let error = builder().base_url(url).build().expect_err(url);
        assert_eq!((error.setting(), error.value()), ("base_url", None));
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
    for url in ["https://jpush.example:8443/prefix", "http://127.0.0.1:3001", "http://[::1]", "http://localhost:1"] {
        builder().base_url(url).build().expect(url);
    }
}

#[test]
fn a_client_with_a_limit_of_nothing_is_refused() {
    let builder = || JPush::builder(Credentials::new("app-key", "secret").unwrap());
    let zero = Duration::ZERO;
    for (error, setting) in [
        (builder().call_timeout(zero).build(), "call_timeout"),
        (builder().connect_timeout(zero).build(), "connect_timeout"),
        (builder().idle_timeout(zero).build(), "idle_timeout"),
        (builder().max_idle(0).build(), "max_idle"),
    ] {
        assert_eq!(error.expect_err(setting).setting(), setting);
    }
    let canary = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
    for (error, setting) in [
        (builder().one_tap_key(&canary.into()).build(), "one_tap_key"),
        (builder().extra_root_pem(b"canary").build(), "extra_root_pem"),
    ] {
        let error = error.expect_err(setting);
        assert_eq!((error.setting(), error.value()), (setting, None));
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
#[ignore = "run by the test below, in a process of its own for each environment"]
fn credentials_of_this_process() {
    match Credentials::from_env() {
        Ok(_) => println!("credentials: found"),
        Err(error) => println!("credentials: {} {error}", error.setting()),
    }
}

/// CASES 60a: the environment is this process's, so each case is a process.
#[test]
fn credentials_come_from_the_environment_or_not_at_all() {
    const KEY: &str = "JPUSH_APP_KEY";
    const SECRET: &str = "JPUSH_MASTER_SECRET";
    for (environment, named, unnamed) in [
        (&[][..], &[KEY, SECRET][..], &[][..]),
        (&[(KEY, "canary")], &[SECRET], &[KEY]),
        (&[(SECRET, "canary")], &[KEY], &[SECRET]),
        (&[(KEY, "canary"), (SECRET, "")], &[SECRET], &[KEY]),
        (&[(KEY, ""), (SECRET, "canary")], &[KEY], &[SECRET]),
    ] {
        let told = from_env(environment);
        assert!(told.starts_with("credentials: credentials "), "{environment:?}: {told}");
        assert!(named.iter().all(|name| told.contains(name)), "{environment:?}: {told}");
        assert!(!unnamed.iter().any(|name| told.contains(name)), "{environment:?}: {told}");
        assert!(!told.contains("canary"), "{environment:?}: {told}");
    }
    assert!(from_env(&[(KEY, "canary"), (SECRET, "canary\n")]).starts_with("credentials: credentials "));
    assert_eq!(from_env(&[(KEY, "canary"), (SECRET, "canary")]), "credentials: found");
}

fn from_env(environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "configuration::client::credentials_of_this_process", "--nocapture"])
        .env_remove("JPUSH_APP_KEY")
        .env_remove("JPUSH_MASTER_SECRET")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let line = told.lines().find_map(|line| line.find("credentials: ").map(|at| &line[at..]));
    line.unwrap_or_else(|| panic!("nothing was told: {told}")).to_owned()
}
