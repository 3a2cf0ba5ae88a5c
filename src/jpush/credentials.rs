//! The app's key and master secret, and the header that they form.

use std::{env, fmt};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;

use super::changing::{Changing, Kept};
use crate::{error::ConfigError, secret::Secret};

const APP_KEY: &str = "JPUSH_APP_KEY";
const MASTER_SECRET: &str = "JPUSH_MASTER_SECRET";

/// The app's key and master secret, from the vendor's console (应用设置).
///
/// `Debug` shows neither. Their header is marked as sensitive: HTTP/2 does not index it, and `http` does not print it.
///
/// ```
/// use tower_jverify::Credentials;
///
/// // `Credentials::from_env()` reads JPUSH_APP_KEY and JPUSH_MASTER_SECRET.
/// let credentials = Credentials::new("app key", "master secret")?;
/// assert!(!format!("{credentials:?}").contains("master secret"));
/// # Ok::<_, tower_jverify::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    authorization: Kept<HeaderValue>,
    app_key: Secret,
}

// === impl Credentials ===

impl Credentials {
    /// Creates credentials from a key and a secret.
    ///
    /// # Errors
    ///
    /// If either is empty, begins or ends with a space, or contains a control character (such as the newline of a file), or if the
    /// key contains a colon. The error shows neither.
    pub fn new(app_key: &str, master_secret: impl Into<Secret>) -> Result<Self, ConfigError> {
        let authorization = header(app_key, &master_secret.into())?;
        Ok(Self { authorization: Kept::Fixed(authorization), app_key: app_key.into() })
    }

    /// Creates credentials from a key, and a closure that returns the master secret, so that the secret can change while the process
    /// runs.
    ///
    /// The closure is called at `build()` and before each call to JPush, so it must be cheap: return a value from memory, and do not
    /// read a file. If the secret is invalid (as in [`Credentials::new`]) or the closure panics, `build()` returns an error; later, the
    /// check is [`Class::Misconfigured`](crate::Class::Misconfigured) and nothing is sent. The app key cannot change, because it
    /// identifies the account.
    ///
    /// ```
    /// use std::sync::{Arc, RwLock};
    ///
    /// use tower_jverify::{Credentials, JPush, Secret};
    ///
    /// # fn main() -> Result<(), tower_jverify::ConfigError> {
    /// let secret = Arc::new(RwLock::new(Secret::from("master secret")));
    /// let current = Arc::clone(&secret);
    /// let credentials = Credentials::from_fn("app key", move || current.read().unwrap().clone())?;
    /// let jpush = JPush::builder(credentials).build()?;
    ///
    /// // Later, from whatever watches the secret:
    /// *secret.write().unwrap() = Secret::from("another master secret");
    /// # let _ = jpush;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the app key is invalid, as in [`Credentials::new`].
    pub fn from_fn<S: Into<Secret>>(
        app_key: &str,
        master_secret: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        refuse_app_key(app_key)?;
        let key = Secret::from(app_key);
        let changing =
            Changing::new("credentials", move || master_secret().into(), move |secret| header(key.expose(), secret));
        Ok(Self { authorization: Kept::Changing(changing), app_key: app_key.into() })
    }

    /// Reads the environment variables `JPUSH_APP_KEY` and `JPUSH_MASTER_SECRET`.
    ///
    /// # Errors
    ///
    /// If a variable is missing, and as [`Credentials::new`]. The error names the variable. The sandbox never starts
    /// as a fallback.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| env::var(name))
    }

    fn from_variables(read: impl Fn(&str) -> Result<String, env::VarError>) -> Result<Self, ConfigError> {
        let variable = |name: &'static str| match read(name) {
            Ok(value) if value.is_empty() => Err(format!("the environment variable {name} is empty")),
            Ok(value) => Ok(Secret::from(value)),
            Err(env::VarError::NotPresent) => Err(format!("the environment variable {name} is not set")),
            Err(env::VarError::NotUnicode(_)) => Err(format!("the environment variable {name} is not UTF-8")),
        };
        match (variable(APP_KEY), variable(MASTER_SECRET)) {
            (Ok(app_key), Ok(secret)) => Self::new(app_key.expose(), secret),
            (Err(one), Err(other)) => Err(ConfigError::unshown("credentials", format!("{one}; {other}"))),
            (Err(one), _) | (_, Err(one)) => Err(ConfigError::unshown("credentials", one)),
        }
    }

    /// The account: a hash of the host's name and the app key, which reveals neither. 64 bits distinguish accounts, and are readable
    /// in a log. The secret is not included, because it may change.
    pub(super) fn account(&self, host: &str) -> Box<str> {
        let text = format!("{}\n{}", host.to_ascii_lowercase(), self.app_key.expose());
        let hash = digest(&SHA256, text.as_bytes());
        hash.as_ref().iter().take(8).fold(String::with_capacity(16), |hex, byte| hex + &format!("{byte:02x}")).into()
    }

    /// `Authorization` as it is sent, marked sensitive.
    ///
    /// # Errors
    ///
    /// `credentials`: if the closure returns an invalid secret, or panics.
    pub(super) fn authorization(&self) -> Result<HeaderValue, ConfigError> {
        self.authorization.get()
    }

    /// `Authorization`, if it may change between calls.
    pub(super) fn changing(&self) -> Option<Changing<HeaderValue>> {
        match &self.authorization {
            Kept::Fixed(_) => None,
            Kept::Changing(changing) => Some(changing.clone()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The header of a key and a secret.
fn header(app_key: &str, secret: &Secret) -> Result<HeaderValue, ConfigError> {
    let secret = secret.expose();
    refuse_app_key(app_key)?;
    refuse("the master secret", secret)?;

    // Capacities are exact, so that each secret text has one buffer, which `Secret` zeroes.
    let mut pair = String::with_capacity(app_key.len() + 1 + secret.len());
    pair.extend([app_key, ":", secret]);
    let pair = Secret::from(pair);
    let mut header = String::with_capacity("Basic ".len() + pair.expose().len().div_ceil(3) * 4);
    header.push_str("Basic ");
    STANDARD.encode_string(pair.expose(), &mut header);
    let header = Secret::from(header);

    let mut authorization = HeaderValue::from_str(header.expose())
        .map_err(|_| ConfigError::unshown("credentials", "they do not fit into a header"))?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

fn refuse_app_key(app_key: &str) -> Result<(), ConfigError> {
    refuse("the app key", app_key)?;
    if app_key.contains(':') {
        return Err(ConfigError::unshown("credentials", "the app key has a colon"));
    }
    Ok(())
}

fn refuse(what: &'static str, value: &str) -> Result<(), ConfigError> {
    let problem = if value.is_empty() {
        "is empty"
    } else if value.chars().any(char::is_control) {
        "has a control character, perhaps a newline"
    } else if value.trim() != value {
        "begins or ends with a space"
    } else {
        return Ok(());
    };
    Err(ConfigError::unshown("credentials", format!("{what} {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_documents_credentials_become_basic_auth() {
        let credentials = Credentials::new("7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1").unwrap();
        let header = credentials.authorization().unwrap();
        assert_eq!(header, "Basic N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ==");
        assert!(header.is_sensitive());
    }

    #[test]
    fn unusable_ones_are_refused_without_being_repeated() {
        let canary = "canary";
        for (key, secret) in [
            ("", canary),
            (canary, ""),
            ("canary:x", canary),
            ("canary\n", canary),
            (canary, "canary\r\n"),
            (canary, " canary"),
            ("canary ", canary),
            (canary, "canary\0"),
        ] {
            let error = Credentials::new(key, secret).unwrap_err();
            assert_eq!(error.setting(), "credentials");
            assert!(!format!("{error} {error:?}").contains(canary), "{error}");
        }
    }

    #[test]
    fn an_account_is_a_host_and_a_key_and_shows_neither() {
        let account = |key: &str, secret: &str, host| Credentials::new(key, secret).unwrap().account(host);
        let one = account("canarykey", "secret", "api.verification.jpush.cn");
        assert!(
            one.len() == 16 && one.bytes().all(|byte| byte.is_ascii_hexdigit()) && !one.contains("canary"),
            "{one}"
        );
        assert_eq!(one, account("canarykey", "another secret", "API.verification.jpush.cn"));
        assert_ne!(one, account("canarykez", "secret", "api.verification.jpush.cn"));
        assert_ne!(one, account("canarykey", "secret", "localhost"));
        assert_ne!(account("b", "secret", "a"), account("ab", "secret", ""));
    }

    #[test]
    fn debug_shows_nothing_of_them() {
        let credentials = Credentials::new("canarykey", "canarysecret").unwrap();
        let header = format!("{:?}", credentials.authorization().unwrap());
        let shown = format!("{credentials:?} {header}");
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }

    #[test]
    fn the_environment_names_the_variable_that_is_missing() {
        let only = |name: &'static str| {
            move |asked: &str| if asked == name { Ok("x".to_owned()) } else { Err(env::VarError::NotPresent) }
        };
        let error = Credentials::from_variables(only(APP_KEY)).unwrap_err().to_string();
        assert!(error.contains(MASTER_SECRET) && !error.contains(APP_KEY), "{error}");
        let error = Credentials::from_variables(only(MASTER_SECRET)).unwrap_err().to_string();
        assert!(error.contains(APP_KEY) && !error.contains(MASTER_SECRET), "{error}");
        let error = Credentials::from_variables(only("")).unwrap_err().to_string();
        assert!(error.contains(APP_KEY) && error.contains(MASTER_SECRET), "{error}");
        let error = Credentials::from_variables(|_| Ok(String::new())).unwrap_err().to_string();
        assert!(error.contains("is empty"), "{error}");
    }
}
