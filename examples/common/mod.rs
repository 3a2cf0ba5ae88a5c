//! What all examples read: the environment and the flag `--sandbox`.
#![allow(dead_code, reason = "every example uses its part of it")]

use std::{env, net::SocketAddr, process};

/// The settings of an example. The sandbox is never a fallback: it is asked for, or credentials are missing.
pub(crate) struct Settings {
    /// Who answers the checks: `--sandbox`, or the credentials.
    pub(crate) vendor: Vendor,
    /// `LISTEN_ADDR`; default `127.0.0.1:3000`. Loopback only with the sandbox.
    pub(crate) listen: SocketAddr,
    /// `UPSTREAM_URL`: the backend of a proxy; default: an echo inside of the example.
    pub(crate) upstream: Option<String>,
}

/// Who answers the checks.
pub(crate) enum Vendor {
    /// `--sandbox`: the sandbox in this process.
    Sandbox,
    /// `JPUSH_APP_KEY`, `JPUSH_MASTER_SECRET` and, for another host than the vendor's, `JPUSH_BASE_URL`.
    JPush { app_key: String, master_secret: String, base_url: Option<String> },
}

impl Settings {
    /// Reads flags and environment, or says on stderr what is wrong with them and ends the process.
    pub(crate) fn read() -> Self {
        Self::read_with(None)
    }

    /// The same with the flag `--sandbox` given anyway.
    pub(crate) fn read_sandboxed() -> Self {
        Self::read_with(Some("--sandbox".to_owned()))
    }

    fn read_with(flag: Option<String>) -> Self {
        let var = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::parse(env::args().skip(1).chain(flag), var).unwrap_or_else(|problem| {
            eprintln!("{problem}");
            process::exit(2)
        })
    }

    fn parse(
        flags: impl Iterator<Item = String>,
        var: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut sandbox = false;
        for flag in flags {
            match flag.as_str() {
                "--sandbox" => sandbox = true,
                _ => return Err(format!("`{flag}`: the only flag is `--sandbox`")),
            }
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
            Some((app_key, master_secret)) => Vendor::JPush { app_key, master_secret, base_url },
            None => return Err("set `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET`, or try it with `--sandbox`".into()),
        };

        let listen = var("LISTEN_ADDR")?.unwrap_or_else(|| "127.0.0.1:3000".into());
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_| format!("`LISTEN_ADDR` is {listen:?}: not an address such as 127.0.0.1:3000"))?;
        if sandbox && !listen.ip().to_canonical().is_loopback() {
            return Err(format!("`LISTEN_ADDR` is {listen}: with the sandbox anybody could log in; loopback only"));
        }
        Ok(Self { vendor, listen, upstream: var("UPSTREAM_URL")? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, Vendor};

    fn parse(flags: &[&str], vars: &'static [(&str, &str)]) -> Result<Settings, String> {
        let var = |name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::parse(flags.iter().map(|flag| (*flag).to_owned()), var)
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
            (&["--sandbx"], &[], &["--sandbx", "--sandbox"]),
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
