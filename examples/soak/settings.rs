//! The flags.

use std::{env, fmt, str::FromStr, time::Duration};

const HELP: &str = "The layer under load while everything between it and JPush goes wrong.

Usage: soak [--minutes N] [--seed S] [--unmatched R] [--guarded R] [--redis] [--metrics]

  --minutes N     how long the load lasts; default 2, at least 2
  --seed S        of the faults and the requests; default 1
  --unmatched R   requests per second that no rule matches; default 2000
  --guarded R     requests per second that a rule guards; default 300
  --redis         two instances that share a Redis, which goes wrong too: needs redis-server
  --metrics       a recorder of metrics that is not read before the load has ended

Exits with 1 if an invariant is violated, and with 2 if a flag is wrong.";

pub(crate) struct Settings {
    pub(crate) minutes: u32,
    pub(crate) seed: u64,
    /// Per second.
    pub(crate) unmatched: u32,
    pub(crate) guarded: u32,
    /// Whether instances share a Redis.
    pub(crate) redis: bool,
    /// Whether metrics are recorded.
    pub(crate) metrics: bool,
}

// === impl Settings ===

impl Settings {
    /// Reads the flags. `None`: `--help` was printed.
    pub(crate) fn read() -> Result<Option<Self>, String> {
        let mut settings = Self { minutes: 2, seed: 1, unmatched: 2_000, guarded: 300, redis: false, metrics: false };
        let mut flags = env::args().skip(1);
        while let Some(flag) = flags.next() {
            match flag.as_str() {
                "--help" | "-h" => {
                    println!("{HELP}");
                    return Ok(None);
                }
                "--minutes" => settings.minutes = number(&flag, flags.next())?,
                "--seed" => settings.seed = number(&flag, flags.next())?,
                "--unmatched" => settings.unmatched = number(&flag, flags.next())?,
                "--guarded" => settings.guarded = number(&flag, flags.next())?,
                "--redis" => settings.redis = true,
                "--metrics" => settings.metrics = true,
                _ => return Err(format!("`{flag}`: unknown flag\n\n{HELP}")),
            }
        }
        if settings.minutes < 2 {
            return Err("`--minutes`: a whole round of phases takes two minutes".into());
        }
        if settings.guarded < 30 {
            return Err("`--guarded`: with less than 30 requests per second, no breaker opens in a black hole".into());
        }
        Ok(Some(settings))
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, seed, unmatched, guarded, redis, metrics } = self;
        let store = if *redis { ", Redis" } else { "" };
        let recorder = if *metrics { ", metrics" } else { "" };
        write!(
            f,
            "{minutes} minutes, seed {seed}, {unmatched} unmatched and {guarded} guarded requests per second{store}{recorder}"
        )
    }
}

fn number<N: FromStr>(flag: &str, value: Option<String>) -> Result<N, String> {
    value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("`{flag}`: a whole number must follow"))
}
