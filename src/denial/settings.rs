//! How the refusals of a rule are answered.

use std::sync::Arc;

use super::{
    cors::{Cors, Sharing},
    page::Page,
    respond::Respond,
};
use crate::error::ConfigError;

/// The validated settings of the answers of a rule, or of a layer for refusals without a known rule.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) respond: Option<Respond>,
    pub(super) sharing: Option<Sharing>,
    /// `None`: the built-in page.
    page: Option<Arc<Page>>,
    /// Each problem's type begins with it. `None`: `about:blank`.
    problem_types: Option<Box<str>>,
}

// === impl Settings ===

impl Settings {
    /// # Errors
    ///
    /// Names the invalid setting: `cors`, `denial_page` or `problem_types`.
    pub(crate) fn new(
        respond: Option<Respond>,
        cors: Option<&Cors>,
        page: Option<&str>,
        problem_types: Option<Box<str>>,
    ) -> Result<Self, ConfigError> {
        if let Some(base) = &problem_types {
            validate_base(base)?;
        }
        Ok(Self {
            respond,
            sharing: cors.map(Cors::validate).transpose()?,
            page: page.map(Page::parse).transpose()?.map(Arc::new),
            problem_types,
        })
    }

    pub(super) fn page(&self) -> &Page {
        self.page.as_ref().unwrap_or_else(|| Page::built_in())
    }

    /// The `type` of the problem with this code.
    pub(super) fn problem_type(&self, code: &str) -> String {
        self.problem_types.as_ref().map_or_else(|| "about:blank".to_owned(), |base| format!("{base}{code}"))
    }
}

/// Refuses a base to which a code cannot be added, or that would need an escape in JSON.
fn validate_base(base: &str) -> Result<(), ConfigError> {
    let refused = |problem: &'static str| Err(ConfigError::new("problem_types", base, problem));
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| !rest.starts_with(['/', '#', '?'])) else {
        return refused("must be an absolute URI that begins with https:// or http://");
    };
    let is_of_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if !base.bytes().all(is_of_uri) || rest.matches('#').count() > 1 {
        return refused("is not a URI");
    }
    if !rest.ends_with(['/', '#']) {
        return refused("must end with `/` or `#`, because the code of the denial is added to it");
    }
    if base.len() > 256 {
        return refused("may have at most 256 bytes");
    }
    Ok(())
}
