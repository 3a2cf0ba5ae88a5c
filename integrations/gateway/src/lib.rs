//! A layer whose rules are in a TOML file, for a gateway in front of backends that others write: see docs/integrations.md. How requests are
//! forwarded is in `examples/hyper_proxy.rs`.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use http::Method;
use serde::{Deserialize, Deserializer, de::Error as _};
use tower::Service;
use tower_jverify::{Ask, Check, ConfigError, Field, Guards, JVerifyLayer, Mode, Rule, Verdict, captcha, number};

/// A file. A key that this does not know is an error: a misspelt setting would otherwise be one that is missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    forward_phone: bool,
    rules: Vec<Entry>,
}

/// One rule, under `[[rules]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    #[serde(default = "post", deserialize_with = "from_text")]
    method: Method,
    path: String,
    proof: Proof,
    /// As in `body /auth/token`, `header x-token` or `query token`.
    #[serde(default, deserialize_with = "some_from_text")]
    token: Option<Field>,
    #[serde(default, deserialize_with = "some_from_text")]
    phone: Option<Field>,
    deadline_ms: Option<u64>,
    /// Log what would happen, and refuse nothing.
    #[serde(default)]
    shadow: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Proof {
    Number,
    NumberWeb,
    Captcha,
    /// A captcha, and then a number.
    CaptchaThenNumber,
}

/// Why a file makes no layer.
#[derive(Debug)]
pub enum FileError {
    /// It is not TOML, or has a key or a value that is not known. Names the line.
    Unreadable(toml::de::Error),
    /// A setting cannot hold. Names the rule.
    Setting(ConfigError),
}

/// Makes a layer of the text of a file. To read a changed file without a restart, keep `guards` and hand the result to
/// [`JVerifyLayer::reload`].
///
/// # Errors
///
/// If the text is not such a file, or `build()` refuses a setting. A running layer keeps its rules then.
pub fn layer<V>(text: &str, verifier: V, guards: &Guards) -> Result<JVerifyLayer<V>, FileError>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::Future: Send,
{
    let File { forward_phone, rules } = toml::from_str(text).map_err(FileError::Unreadable)?;
    let builder = JVerifyLayer::builder(verifier).guards(guards).forward_phone(forward_phone);
    builder.rules(rules.into_iter().map(Rule::from)).build().map_err(FileError::Setting)
}

impl From<Entry> for Rule {
    fn from(entry: Entry) -> Self {
        let Entry { name, method, path, proof, token, phone, deadline_ms, shadow } = entry;
        let mut number = number();
        if let Some(token) = token {
            number = number.token(token);
        }
        if let Some(phone) = phone {
            number = number.phone(phone);
        }
        let ask: Ask = match proof {
            Proof::Number => number.into(),
            Proof::NumberWeb => number.web().into(),
            Proof::Captcha => captcha().into(),
            Proof::CaptchaThenNumber => captcha().then(number),
        };
        let mut rule = Rule::method(method, path, ask);
        if let Some(name) = name {
            rule = rule.name(name);
        }
        if let Some(deadline) = deadline_ms {
            rule = rule.deadline(Duration::from_millis(deadline));
        }
        if shadow { rule.mode(Mode::Shadow) } else { rule }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Setting(error) => error.fmt(f),
        }
    }
}

impl Error for FileError {}

fn post() -> Method {
    Method::POST
}

fn from_text<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(text: D) -> Result<T, D::Error> {
    String::deserialize(text)?.parse().map_err(D::Error::custom)
}

fn some_from_text<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(text: D) -> Result<Option<T>, D::Error> {
    from_text(text).map(Some)
}
