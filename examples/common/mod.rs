//! What the examples share: the environment variables and the flag `--sandbox`, the verifier, and the requests to try.
#![allow(dead_code, reason = "every example uses its part of it")]

use std::{collections::BTreeMap, env, net::SocketAddr, process};

use http::HeaderMap;
use tower_jverify::{BoxJPush, ConfigError, Credentials, JPush, Phone, Sandbox};

/// The settings of an example. The sandbox is never a fallback: `--sandbox` selects it, and otherwise credentials are required.
pub(crate) struct Settings {
    /// The verifier: `--sandbox`, or the credentials.
    pub(crate) vendor: Vendor,
    /// `LISTEN_ADDR`; default `127.0.0.1:3000`. With the sandbox it must be loopback, unless `--danger-sandbox-beyond-loopback` is
    /// set.
    pub(crate) listen: SocketAddr,
    /// `UPSTREAM_URL`: the backend of a proxy; default: an echo server in the example.
    pub(crate) upstream: Option<String>,
    /// `TRUSTED_PROXIES`: how many proxies in front of this one add to `X-Forwarded-For`; default: the client's address is not
    /// known.
    pub(crate) trusted_proxies: Option<usize>,
}

/// Which verifier answers the checks.
pub(crate) enum Vendor {
    /// `--sandbox`: the sandbox in this process.
    Sandbox,
    /// `JPUSH_APP_KEY`, `JPUSH_MASTER_SECRET` and, for another host than the vendor's, `JPUSH_BASE_URL`. `JPUSH_PROOF_BYTES` lists
    /// further characters that proofs may contain (`#注册` for those of the example `sandbox`). With
    /// `--danger-plain-http-to-private-hosts`, the host may be a container of a test.
    JPush {
        app_key: String,
        master_secret: String,
        base_url: Option<String>,
        proof_bytes: Option<String>,
        plain_http: bool,
    },
}

/// `--danger-sandbox-beyond-loopback`, for the example `sandbox` only: it may listen for other containers of a test.
const BEYOND_LOOPBACK: &str = "--danger-sandbox-beyond-loopback";

/// `--danger-plain-http-to-private-hosts`, for all other examples: they may call such a server.
const PLAIN_HTTP: &str = "--danger-plain-http-to-private-hosts";

/// The kind of example that reads its settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Application,
    /// The sandbox as a server.
    Server,
}

impl Settings {
    /// Reads flags and environment. If they are invalid, prints why on stderr and ends the process.
    pub(crate) fn read() -> Self {
        Self::read_as(Reads::Application)
    }

    /// As `read`, for the example `sandbox`, which needs no flag to be the sandbox.
    pub(crate) fn read_sandboxed() -> Self {
        Self::read_as(Reads::Server)
    }

    fn read_as(reads: Reads) -> Self {
        let var = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::parse(env::args().skip(1), reads, var).unwrap_or_else(|problem| end(&problem))
    }

    /// The verifier. If a setting is invalid, prints why on stderr and ends the process.
    pub(crate) fn verifier(&self) -> BoxJPush {
        self.vendor.verifier().unwrap_or_else(|problem| {
            // The library's name of the setting, and the variable that the user of an example sets.
            let variable = if problem.setting() == "base_url" { "`JPUSH_BASE_URL`: " } else { "" };
            end(&format!("{variable}{problem}"))
        })
    }

    fn parse(
        flags: impl Iterator<Item = String>,
        reads: Reads,
        var: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut sandbox = reads == Reads::Server;
        let (mut beyond_loopback, mut plain_http) = (false, false);
        for flag in flags {
            match (flag.as_str(), reads) {
                ("--sandbox", _) => sandbox = true,
                (BEYOND_LOOPBACK, Reads::Server) => beyond_loopback = true,
                (PLAIN_HTTP, Reads::Application) => plain_http = true,
                (_, Reads::Server) => return Err(format!("`{flag}`: the only flag is `{BEYOND_LOOPBACK}`")),
                (_, Reads::Application) => {
                    return Err(format!("`{flag}`: the only flags are `--sandbox` and `{PLAIN_HTTP}`"));
                }
            }
        }
        if sandbox && plain_http {
            return Err(format!("`{PLAIN_HTTP}`: with `--sandbox` no host is asked"));
        }
        let var = |name| match var(name) {
            Some(value) if value.trim().is_empty() => Err(format!("`{name}` is empty")),
            value => Ok(value),
        };

        let credentials = match (var("JPUSH_APP_KEY")?, var("JPUSH_MASTER_SECRET")?) {
            (Some(app_key), Some(master_secret)) => Some((app_key, master_secret)),
            (Some(_), None) => return Err("`JPUSH_APP_KEY` is set, but not `JPUSH_MASTER_SECRET`".into()),
            (None, Some(_)) => return Err("`JPUSH_MASTER_SECRET` is set, but not `JPUSH_APP_KEY`".into()),
            (None, None) => None,
        };
        let base_url = var("JPUSH_BASE_URL")?;
        let vendor = match credentials {
            _ if sandbox => Vendor::Sandbox,
            Some((app_key, master_secret)) => {
                let proof_bytes = var("JPUSH_PROOF_BYTES")?;
                Vendor::JPush { app_key, master_secret, base_url, proof_bytes, plain_http }
            }
            None => return Err("set `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET`, or try it with `--sandbox`".into()),
        };

        let listen = var("LISTEN_ADDR")?.unwrap_or_else(|| "127.0.0.1:3000".into());
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_| format!("`LISTEN_ADDR` is {listen:?}: not an address such as 127.0.0.1:3000"))?;
        if sandbox && !beyond_loopback && !listen.ip().to_canonical().is_loopback() {
            return Err(format!("`LISTEN_ADDR` is {listen}: with the sandbox anybody could log in; loopback only"));
        }
        let proxies = |count: String| {
            let problem = format!("`TRUSTED_PROXIES` is {count:?}: not a number of proxies, from 0 to 16");
            count.parse().ok().filter(|count| *count <= 16).ok_or(problem)
        };
        let trusted_proxies = var("TRUSTED_PROXIES")?.map(proxies).transpose()?;
        Ok(Self { vendor, listen, upstream: var("UPSTREAM_URL")?, trusted_proxies })
    }
}

impl Vendor {
    fn verifier(&self) -> Result<BoxJPush, ConfigError> {
        Ok(match self {
            Self::Sandbox => Sandbox::new().client().build()?.boxed(),
            Self::JPush { app_key, master_secret, base_url, proof_bytes, plain_http } => {
                let mut jpush = JPush::builder(Credentials::new(app_key.as_str(), master_secret.as_str())?);
                if let Some(base_url) = base_url {
                    jpush = jpush.base_url(base_url);
                }
                if let Some(bytes) = proof_bytes {
                    jpush = jpush.proof_bytes(bytes.bytes());
                }
                if *plain_http {
                    jpush = jpush.danger_plain_http_to_private_hosts();
                }
                jpush.build()?.boxed()
            }
        })
    }
}

/// What every example prints last, when it listens.
pub(crate) const LAST_LINE: &str = "\nCtrl-C ends it.";

/// Prints on stderr which setting is invalid, and ends the process.
pub(crate) fn end(problem: &str) -> ! {
    eprintln!("{problem}");
    process::exit(2)
}

/// Logs to stderr: the layer writes one event for every decision.
pub(crate) fn log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
}

/// What an application learns about a request, as JSON: the phone if it was proven, and the risk headers. Leaves out
/// `x-jverify-id`, which differs at each check, and `x-jverify-phone`, which is personal data.
pub(crate) fn learnt(phone: Option<Phone>, headers: &HeaderMap) -> String {
    let phone = phone.map_or_else(|| "not proven".into(), |phone| phone.masked().to_string());
    let ours = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-jverify-"));
    let told = ours.filter(|(name, _)| !matches!(name.as_str(), "x-jverify-id" | "x-jverify-phone"));
    let mut learnt: BTreeMap<&str, String> =
        told.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    learnt.insert("phone", phone);
    serde_json::to_string(&learnt).expect("strings are JSON")
}

/// What to try on the sandbox with `axum_login` and `hyper_proxy`: path, body (without one: a `GET`), status and answer. A test
/// sends all of these requests and compares the answers.
const TRIES: [(&str, &str, &str, u16, &str); 15] = [
    (
        "The carrier vouches for the phone",
        "/login",
        r#"{"token":"sandbox-9000","phone":"13800000000"}"#,
        200,
        r#"{"phone":"138****0000","x-jverify-checks":"number","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-risk-level":"low","x-jverify-risk-score":"0","x-jverify-sandbox":"1"}"#,
    ),
    (
        "The token is another phone's",
        "/login",
        r#"{"token":"sandbox-for-13900000000","phone":"13800000000"}"#,
        403,
        r#"{"type":"about:blank","title":"Verification failed. Please use another way to sign in.","status":403,"code":"verification_failed","next":["other_method"]}"#,
    ),
    (
        "Worth watching: let in, and flagged",
        "/login",
        r#"{"token":"sandbox-9000-risk-300-tags-F24004","phone":"13800000000"}"#,
        200,
        r#"{"phone":"138****0000","x-jverify-checks":"number","x-jverify-decision":"flag","x-jverify-reason":"risk","x-jverify-risk-level":"medium","x-jverify-risk-score":"300","x-jverify-risk-tags":"F24004","x-jverify-sandbox":"1"}"#,
    ),
    (
        "Risky: a captcha is asked for",
        "/login",
        r#"{"token":"sandbox-9000-risk-600","phone":"13800000000"}"#,
        403,
        r#"{"type":"about:blank","title":"Please solve the captcha and try again.","status":403,"code":"captcha_required","next":["captcha"]}"#,
    ),
    (
        "Risky, with a captcha",
        "/login",
        r#"{"token":"sandbox-9000-risk-600","phone":"13800000000","captchaContent":"sandbox-pass"}"#,
        200,
        r#"{"phone":"138****0000","x-jverify-checks":"number,captcha","x-jverify-decision":"flag","x-jverify-reason":"stepped_up","x-jverify-risk-level":"elevated","x-jverify-risk-score":"600","x-jverify-sandbox":"1"}"#,
    ),
    (
        "The token was used before",
        "/login",
        r#"{"token":"sandbox-9003","phone":"13800000000"}"#,
        403,
        r#"{"type":"about:blank","title":"The verification has expired. Please start again.","status":403,"code":"proof_expired","next":["new_token"]}"#,
    ),
    (
        "Too many tries for this phone",
        "/login",
        r#"{"token":"sandbox-9005","phone":"13800000000"}"#,
        429,
        r#"{"type":"about:blank","title":"Too many attempts. Please wait.","status":429,"code":"throttled","next":["wait","other_method"]}"#,
    ),
    (
        "JPush is down",
        "/login",
        r#"{"token":"sandbox-status-500-9000","phone":"13800000000"}"#,
        503,
        r#"{"type":"about:blank","title":"Verification is unavailable. Please use another way to sign in.","status":503,"code":"verification_unavailable","next":["other_method"]}"#,
    ),
    (
        "Half a proof: JPush is not asked",
        "/login",
        r#"{"token":"sandbox-9000"}"#,
        400,
        r#"{"type":"about:blank","title":"The request carries no proof, or only half of one.","status":400,"code":"proof_missing"}"#,
    ),
    (
        "Two phones: JPush is not asked",
        "/login",
        r#"{"token":"sandbox-9000","phone":"13800000000","phone":"13900000000"}"#,
        400,
        r#"{"type":"about:blank","title":"The proof in the request is malformed.","status":400,"code":"proof_malformed"}"#,
    ),
    (
        "A token from a browser",
        "/h5/login",
        r#"{"token":"sandbox-web-9000","phone":"13800000000"}"#,
        200,
        r#"{"phone":"138****0000","x-jverify-checks":"number","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-risk-level":"low","x-jverify-risk-score":"0","x-jverify-sandbox":"1"}"#,
    ),
    (
        "Captcha, then number",
        "/register",
        r#"{"captchaContent":"sandbox-pass","token":"sandbox-9000","phone":"13800000000"}"#,
        200,
        r#"{"phone":"138****0000","x-jverify-checks":"captcha,number","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-risk-level":"low","x-jverify-risk-score":"0","x-jverify-sandbox":"1"}"#,
    ),
    (
        "The captcha fails: the number is not asked",
        "/register",
        r#"{"captchaContent":"sandbox-fail","token":"sandbox-9000","phone":"13800000000"}"#,
        403,
        r#"{"type":"about:blank","title":"Verification failed. Please use another way to sign in.","status":403,"code":"verification_failed","next":["other_method"]}"#,
    ),
    (
        "Captcha or number: a captcha proves no phone",
        "/signin",
        r#"{"captchaContent":"sandbox-pass"}"#,
        200,
        r#"{"phone":"not proven","x-jverify-checks":"captcha","x-jverify-decision":"allow","x-jverify-reason":"verified","x-jverify-sandbox":"1"}"#,
    ),
    ("Not guarded, and a forged `x-jverify-*` header is removed", "/health", "", 200, r#"{"phone":"not proven"}"#),
];

/// Prints the address and, on the sandbox, curl lines with their answers.
pub(crate) fn print_what_to_try(settings: &Settings, address: SocketAddr) {
    match settings.vendor {
        Vendor::JPush { .. } => println!("Listening on http://{address}."),
        Vendor::Sandbox => {
            println!("Listening on http://{address}, verified by the sandbox. Try:");
            for (what, path, body, status, answer) in TRIES {
                let with = match body {
                    "" => "-H 'x-jverify-decision: allow'".to_owned(),
                    body => format!("-H 'content-type: application/json' -d '{body}'"),
                };
                println!("\n# {what}\ncurl -sw ' %{{http_code}}\\n' http://{address}{path} {with}");
                println!("{answer} {status}");
            }
        }
    }
    println!("{LAST_LINE}");
}

#[cfg(test)]
mod tests {
    use super::{Reads, Settings, Vendor};

    fn parse(flags: &[&str], vars: &'static [(&str, &str)]) -> Result<Settings, String> {
        parse_as(Reads::Application, flags, vars)
    }

    fn parse_as(reads: Reads, flags: &[&str], vars: &'static [(&str, &str)]) -> Result<Settings, String> {
        let var = |name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::parse(flags.iter().map(|flag| (*flag).to_owned()), reads, var)
    }

    #[test]
    fn only_the_server_listens_beyond_loopback_and_only_by_its_flag() {
        const ANYWHERE: &[(&str, &str)] = &[("LISTEN_ADDR", "0.0.0.0:4000")];
        assert!(parse_as(Reads::Server, &[], ANYWHERE).err().expect("refused").contains("LISTEN_ADDR"));
        assert!(parse_as(Reads::Server, &["--danger-sandbox-beyond-loopback"], ANYWHERE).is_ok());
        let flags = ["--sandbox", "--danger-sandbox-beyond-loopback"];
        assert!(parse(&flags, ANYWHERE).err().expect("refused").contains("--danger-sandbox-beyond-loopback"));
    }

    #[test]
    fn what_is_wrong_is_named_and_never_falls_to_the_sandbox() {
        for (flags, vars, named) in [
            (&[][..], &[][..], &["JPUSH_APP_KEY", "JPUSH_MASTER_SECRET", "--sandbox"][..]),
            (&[], &[("JPUSH_APP_KEY", "key")], &["JPUSH_MASTER_SECRET"]),
            (&[], &[("JPUSH_MASTER_SECRET", "canary")], &["JPUSH_APP_KEY"]),
            (&[], &[("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "")], &["JPUSH_MASTER_SECRET"]),
            (&["--sandbox"], &[("JPUSH_APP_KEY", "")], &["JPUSH_APP_KEY"]),
            (&["--sandbox"], &[("LISTEN_ADDR", "0.0.0.0:3000")], &["LISTEN_ADDR", "0.0.0.0:3000"]),
            (&["--sandbox"], &[("LISTEN_ADDR", "localhost")], &["LISTEN_ADDR", "localhost"]),
            (&["--sandbox"], &[("TRUSTED_PROXIES", "")], &["TRUSTED_PROXIES"]),
            (&["--sandbox"], &[("TRUSTED_PROXIES", "-1")], &["TRUSTED_PROXIES", "-1"]),
            (&["--sandbox"], &[("TRUSTED_PROXIES", "10.0.0.1")], &["TRUSTED_PROXIES", "10.0.0.1"]),
            (&["--sandbox"], &[("TRUSTED_PROXIES", "17")], &["TRUSTED_PROXIES", "17"]),
            (&["--sandbx"], &[], &["--sandbx", "--sandbox"]),
            (
                &["--sandbox", "--danger-plain-http-to-private-hosts"],
                &[],
                &["--danger-plain-http-to-private-hosts", "--sandbox"],
            ),
        ] {
            let problem = parse(flags, vars).err().expect("refused");
            assert!(named.iter().all(|name| problem.contains(name)), "{problem}");
            assert!(!problem.contains("canary"));
        }
    }

    #[test]
    fn the_sandbox_is_asked_for_and_the_vendor_by_credentials() {
        let sandbox = parse(&["--sandbox"], &[]).expect("accepted");
        assert!(matches!(sandbox.vendor, Vendor::Sandbox));
        assert_eq!(sandbox.listen.to_string(), "127.0.0.1:3000");
        let jpush =
            parse(&[], &[("JPUSH_APP_KEY", "key"), ("JPUSH_MASTER_SECRET", "secret"), ("LISTEN_ADDR", "0.0.0.0:80")]);
        assert!(matches!(jpush.expect("accepted").vendor, Vendor::JPush { base_url: None, .. }));
    }
}
