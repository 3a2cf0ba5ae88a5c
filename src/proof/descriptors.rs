//! Finds fields by name in a `FileDescriptorSet`.

use std::fmt;

use bytes::Bytes;
use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::protobuf::{Accepts, Step, number};
use crate::error::ConfigError;

/// A parsed `FileDescriptorSet`.
#[derive(Clone)]
pub(crate) struct Descriptors {
    bytes: Bytes,
    pool: DescriptorPool,
}

/// A method and its descriptor.
pub(crate) struct Method {
    input: MessageDescriptor,
    is_client_streaming: bool,
}

// === impl Descriptors ===

impl Descriptors {
    /// # Errors
    ///
    /// `descriptors`, if the bytes are not a `FileDescriptorSet`.
    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, ConfigError> {
        let pool = DescriptorPool::decode(bytes.clone())
            .map_err(|_| ConfigError::unshown("descriptors", "not a complete `FileDescriptorSet`"))?;
        Ok(Self { bytes: bytes.clone(), pool })
    }

    /// The method of a path, as in `/package.Service/Method`.
    pub(crate) fn method(&self, path: &str) -> Option<Method> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        // Without case, as rules match.
        let service = self.pool.services().find(|known| known.full_name().eq_ignore_ascii_case(service))?;
        let method: MethodDescriptor = service.methods().find(|known| known.name().eq_ignore_ascii_case(method))?;
        Some(Method { input: method.input(), is_client_streaming: method.is_client_streaming() })
    }
}

impl PartialEq for Descriptors {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptors").finish_non_exhaustive()
    }
}

// === impl Method ===

impl Method {
    pub(crate) fn is_client_streaming(&self) -> bool {
        self.is_client_streaming
    }

    /// The steps to a field of the method's message; each segment is a name, a JSON name or a number.
    pub(super) fn way(&self, pointer: &str) -> Result<Vec<Step>, &'static str> {
        let mut message = Some(self.input.clone());
        let mut way = Vec::new();
        let path = pointer.strip_prefix('/').ok_or("a JSON Pointer starts with a slash")?;
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let within = message.take().ok_or("a field that is not a message has no fields")?;
            let field = field(&within, segment).ok_or("the method's message has no such field")?;
            if field.cardinality() == Cardinality::Repeated {
                return Err("a repeated field cannot hold a proof");
            }
            let mut accepts = Accepts::Text;
            match (field.kind(), segments.peek()) {
                (Kind::Message(inner), Some(_)) if !field.is_group() => message = Some(inner),
                (kind, None) => accepts = accepted(&kind).ok_or("neither a `string` nor a plain integer")?,
                (_, Some(_)) => return Err("a field that is not a message has no fields"),
            }
            let oneof = field.containing_oneof().map_or(Vec::new(), |oneof| {
                oneof.fields().map(|other| other.number()).filter(|other| *other != field.number()).collect()
            });
            way.push(Step { number: field.number(), oneof, accepts });
        }
        Ok(way)
    }
}

fn field(message: &MessageDescriptor, segment: &str) -> Option<FieldDescriptor> {
    match number(segment) {
        Some(number) => message.get_field(number),
        None => message.get_field_by_name(segment).or_else(|| message.get_field_by_json_name(segment)),
    }
}

fn accepted(kind: &Kind) -> Option<Accepts> {
    let most = match kind {
        Kind::String => return Some(Accepts::Text),
        Kind::Int32 | Kind::Enum(_) => u64::from(i32::MAX.unsigned_abs()),
        Kind::Uint32 => u64::from(u32::MAX),
        Kind::Int64 => i64::MAX.unsigned_abs(),
        Kind::Uint64 => u64::MAX,
        _ => return None,
    };
    Some(Accepts::Integer { most })
}
