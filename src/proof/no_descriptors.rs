//! The types for builds without the feature `grpc-descriptors`. `build()` refuses the setting, so they have no values.

use std::convert::Infallible;

use bytes::Bytes;

use super::protobuf::Step;
use crate::error::ConfigError;

/// A parsed `FileDescriptorSet`, which this build cannot parse.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Descriptors {}

/// A method of the descriptors.
pub(crate) struct Method(Infallible);

// === impl Descriptors ===

impl Descriptors {
    /// # Errors
    ///
    /// `descriptors`, always.
    pub(crate) fn parse(_: &Bytes) -> Result<Self, ConfigError> {
        Err(ConfigError::feature("descriptors", "a `FileDescriptorSet`", "grpc-descriptors"))
    }

    pub(crate) fn method(&self, _: &str) -> Option<Method> {
        match *self {}
    }
}

// === impl Method ===

impl Method {
    pub(crate) fn is_client_streaming(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn way(&self, _: &str) -> Result<Vec<Step>, &'static str> {
        match self.0 {}
    }
}
