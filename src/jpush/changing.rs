//! A secret that may change while the process runs.
//!
//! The closure is called before each call that needs the secret. The secret is parsed again (into a header, into an RSA key)
//! only if its text has changed.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{error::ConfigError, secret::Secret};

/// A value that is parsed from a secret.
#[derive(Clone, Debug)]
pub(super) enum Kept<T> {
    Fixed(T),
    Changing(Changing<T>),
}

/// The closure that returns a secret's text, and the last parsed value. Clones share both.
pub(super) struct Changing<T>(Arc<Inner<T>>);

type Read<T> = dyn Fn(&Secret) -> Result<T, ConfigError> + Send + Sync;

struct Inner<T> {
    setting: &'static str,
    ask: Box<dyn Fn() -> Secret + Send + Sync>,
    read: Box<Read<T>>,
    last: Mutex<Option<(Secret, T)>>,
}

// === impl Kept ===

impl<T: Clone> Kept<T> {
    /// The current value.
    ///
    /// # Errors
    ///
    /// As [`Changing::get`].
    pub(super) fn get(&self) -> Result<T, ConfigError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Changing(changing) => changing.get(),
        }
    }
}

// === impl Changing ===

impl<T: Clone> Changing<T> {
    /// `setting` is the name of the secret's setting, for errors.
    pub(super) fn new(
        setting: &'static str,
        ask: impl Fn() -> Secret + Send + Sync + 'static,
        read: impl Fn(&Secret) -> Result<T, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { setting, ask: Box::new(ask), read: Box::new(read), last: Mutex::default() }))
    }

    /// The value of the current secret.
    ///
    /// # Errors
    ///
    /// As `read`, and if the closure panics. An older secret is not used instead, because it may be revoked.
    pub(super) fn get(&self) -> Result<T, ConfigError> {
        // The closure runs without the lock, because it belongs to the application.
        let text = catch_unwind(AssertUnwindSafe(&self.0.ask))
            .map_err(|_| ConfigError::unshown(self.0.setting, "the closure that returns it panicked"))?;
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = &*last
            && known.expose() == text.expose()
        {
            return Ok(value.clone());
        }
        // The key is parsed under the lock, so that a new key is parsed once.
        let value = (self.0.read)(&text)?;
        *last = Some((text, value.clone()));
        Ok(value)
    }
}

impl<T> Clone for Changing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Changing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changing").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_text_is_read_when_it_changes_and_not_at_every_call() {
        let now = Arc::new(Mutex::new("one"));
        let reads = Arc::new(AtomicUsize::new(0));
        let (asked, counted) = (Arc::clone(&now), Arc::clone(&reads));
        let changing = Changing::new(
            "x",
            move || Secret::from(*asked.lock().unwrap()),
            move |text| {
                counted.fetch_add(1, Ordering::Relaxed);
                if text.expose() == "bad" { Err(ConfigError::unshown("x", "bad")) } else { Ok(text.expose().len()) }
            },
        );
        for (text, value, read) in [("one", Some(3), 1), ("one", Some(3), 1), ("three", Some(5), 2), ("bad", None, 3)] {
            *now.lock().unwrap() = text;
            assert_eq!(changing.get().ok(), value);
            assert_eq!(reads.load(Ordering::Relaxed), read, "{text}");
        }
        *now.lock().unwrap() = "three";
        assert_eq!(changing.get().ok(), Some(5));
        assert_eq!(reads.load(Ordering::Relaxed), 3, "what failed replaces nothing");
    }
}
