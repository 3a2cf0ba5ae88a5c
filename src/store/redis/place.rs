//! The URL of a server.

use percent_encoding::percent_decode_str;
use redis::{RedisConnectionInfo, parse_redis_url};
use secrecy::{ExposeSecret, SecretString};

use crate::{error::ConfigError, secret::Secret};

/// One server, and its login.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Login,
    pub(super) database: i64,
}

/// A user and a password, if they are needed.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretString>,
}

// === impl Place ===

impl Place {
    /// # Errors
    ///
    /// Names `redis.url`, without its value, which may contain a password.
    pub(super) fn parse(text: &str, default_port: u16) -> Result<Self, ConfigError> {
        let wrong = |problem: &'static str| ConfigError::unshown("redis.url", problem);
        let url = parse_redis_url(text).ok_or_else(|| wrong("is not `redis://host:port` or `rediss://host:port`"))?;
        let tls = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(wrong("begins with neither `redis://` nor `rediss://`")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment, which nothing reads"));
        }
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| wrong("has a user or a password that is not UTF-8"))
        };
        let username = match url.username() {
            "" => None,
            username => Some(decoded(username)?),
        };
        let password = url.password().map(decoded).transpose()?.map(SecretString::from);
        // The client logs in only with a password, and would ignore the user.
        if username.is_some() && password.is_none() {
            return Err(wrong("has a user without a password"));
        }
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse::<u16>().map_err(|_| wrong("names a database that is not a number"))?.into(),
        };
        Ok(Self {
            tls,
            // The brackets of an IPv6 address belong to the URL.
            host: host.trim_start_matches('[').trim_end_matches(']').into(),
            port: url.port().unwrap_or(default_port),
            login: Login { username, password },
            database,
        })
    }

    pub(super) fn info(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(self.database).set_skip_set_lib_name();
        if let Some(username) = &self.login.username {
            info = info.set_username(username);
        }
        if let Some(password) = &self.login.password {
            info = info.set_password(password.expose_secret());
        }
        info
    }
}

// === impl Login ===

impl Login {
    /// The login of the settings, otherwise that of a URL.
    pub(super) fn or(username: Option<&str>, password: Option<&Secret>, other: Self) -> Self {
        match password {
            Some(password) => {
                Self { username: username.map(Into::into), password: Some(SecretString::from(password.expose())) }
            }
            None => other,
        }
    }
}
