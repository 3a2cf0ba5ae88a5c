//! What can be set for all rules, and for one.
//!
//! A setting has one home: the methods below, its documentation and its default. The builder has them for all rules, a
//! rule for itself.

use std::time::Duration;

#[cfg(feature = "grpc-descriptors")]
use bytes::Bytes;

use super::mode::Mode;
use crate::{
    body::Decoding,
    decision::Policy,
    denial::Respond,
    judge::ClientIp,
    phone::PhoneGrammar,
    proof::{Extractor, Media},
};

/// What was set, and what was left.
#[derive(Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) mode: Option<Mode>,
    pub(crate) policy: Option<Policy>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) body_limit: Option<usize>,
    pub(crate) body_deadline: Option<Duration>,
    pub(crate) buffered: Option<usize>,
    pub(crate) accept: Option<Vec<Media>>,
    pub(crate) other_phones: Option<Vec<Box<str>>>,
    pub(crate) decode: Option<Decoding>,
    pub(crate) extractor: Option<Extractor>,
    pub(crate) client_ip: Option<ClientIp>,
    pub(crate) send_client_ip: Option<bool>,
    pub(crate) phone_grammar: Option<PhoneGrammar>,
    pub(crate) forward_phone: Option<bool>,
    pub(crate) pin_phone: Option<bool>,
    pub(crate) canonical_body: Option<bool>,
    pub(crate) ex_id_from_request_id: Option<bool>,
    pub(crate) ignore_query: Option<bool>,
    pub(crate) grpc_answers: Option<bool>,
    pub(crate) respond: Option<Respond>,
    #[cfg(feature = "grpc")]
    pub(crate) client_streaming: Option<bool>,
    #[cfg(feature = "grpc-descriptors")]
    pub(crate) descriptors: Option<Bytes>,
}

/// The setters of [`Overrides`], for a type that has them in a field `overrides`.
macro_rules! setting_methods {
    () => {
        /// What verdicts mean. Default: [`Policy::default`](crate::Policy).
        pub fn policy(mut self, policy: $crate::decision::Policy) -> Self {
            self.overrides.policy = Some(policy);
            self
        }

        /// How long all checks of one request may take together: waiting, connecting, asking, retrying. Default: 5 s;
        /// more than 1 s, because a check is not begun with less than that left.
        pub fn deadline(mut self, deadline: std::time::Duration) -> Self {
            self.overrides.deadline = Some(deadline);
            self
        }

        /// How many requests may have a check in flight (also one whose client has left); the next is answered 503. Default:
        /// 256 for the layer; a rule that sets it has its own. Where `client_ip` is set, one client holds at most an eighth.
        pub fn in_flight(mut self, requests: usize) -> Self {
            self.overrides.in_flight = Some(requests);
            self
        }

        /// The largest body that is read, in bytes, inclusive. Default: 65,536. Rules whose fields all sit in the head
        /// read none.
        pub fn body_limit(mut self, bytes: usize) -> Self {
            self.overrides.body_limit = Some(bytes);
            self
        }

        /// How long a client may take to send its body. Default: 5 s.
        pub fn body_deadline(mut self, deadline: std::time::Duration) -> Self {
            self.overrides.body_deadline = Some(deadline);
            self
        }

        /// How many bytes of bodies may be held at the same time; past that, 503. Default: 67,108,864, shared by all
        /// services of the layer. A rule that sets it has a budget of its own.
        ///
        /// A quarter is reserved for bodies of at most 4,096 bytes, so that clients that stall with large bodies do not shut
        /// out logins. One body of [`body_limit`](Self::body_limit) must fit into the other three quarters.
        pub fn buffered(mut self, bytes: usize) -> Self {
            self.overrides.buffered = Some(bytes);
            self
        }

        /// Which media types a proof is read from; others are answered 415. Default: JSON, and forms where every field
        /// of the body has one segment. [`Media::json_types`](crate::Media::json_types) names further types of JSON.
        pub fn accept(mut self, media: impl IntoIterator<Item = $crate::proof::Media>) -> Self {
            self.overrides.accept = Some(media.into_iter().collect());
            self
        }

        /// Through which content codings a body is read, and which bytes the application gets then: see
        /// [`HandOn`](crate::HandOn). Other codings are answered 415, as are several at a time. Default: none.
        ///
        /// A body is decoded within [`body_limit`](Self::body_limit) (of the decoded bytes, too) and a hundred times its encoded
        /// size; past that, 413. The budget of [`buffered`](Self::buffered) counts decoded bytes as well.
        #[cfg(feature = "decompression")]
        #[cfg_attr(docsrs, doc(cfg(feature = "decompression")))]
        pub fn decode(
            mut self,
            codings: impl IntoIterator<Item = $crate::body::Coding>,
            hand_on: $crate::body::HandOn,
        ) -> Self {
            let codings = codings.into_iter().collect();
            self.overrides.decode = Some($crate::body::Decoding { codings, hand_on });
            self
        }

        /// Reads bodies of these media types (`application/xml`, or `*/*` for each that says what it is) with a closure, in
        /// place of our readers: it gets the head and the whole body, decoded if [`Rule::decode`](crate::Rule) says so, and
        /// gives the values of the body's fields, by their pointers. Other types are read as before. Default: none.
        ///
        /// Header and query fields are read and guarded as ever, and the values held to what any other is. An error is
        /// answered 400, and dropped, as it might quote the body; a panic 503. A rule whose fields all sit in the head
        /// never calls it.
        ///
        /// **Danger:** what the closure reads must be what the application reads, also where a name comes twice.
        ///
        /// ```
        /// use tower_jverify::{Extracted, Rule, number};
        ///
        /// // Two lines: the token, and the phone.
        /// let rule = Rule::post("/login", number()).extract(["text/x-login"], |_head, body| {
        ///     let (token, phone) = std::str::from_utf8(body)?.split_once('\n').ok_or("not two lines")?;
        ///     Ok(Extracted::new().with("/token", token.to_owned()).with("/phone", phone.to_owned()))
        /// });
        /// # let _ = rule;
        /// ```
        pub fn extract(
            mut self,
            media_types: impl IntoIterator<Item = impl Into<Box<str>>>,
            extract: impl Fn(&http::request::Parts, &[u8]) -> Result<$crate::proof::Extracted, tower::BoxError>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.overrides.extractor = Some($crate::proof::Extractor::new(media_types, extract));
            self
        }

        /// Who the client is, for its share of `in_flight`; all that are not found share one. Default: not distinguished.
        ///
        /// **Danger:** a source that finds one address for everybody (the peer behind a proxy) gives them one share.
        pub fn client_ip(mut self, client_ip: $crate::judge::ClientIp) -> Self {
            self.overrides.client_ip = Some(client_ip);
            self
        }

        /// Sends the address that `client_ip` (required) finds to JPush, unless it is not global (private). Off by default.
        pub fn send_client_ip(mut self) -> Self {
            self.overrides.send_client_ip = Some(true);
            self
        }

        /// Which spellings of a phone are accepted. Default: exactly eleven digits.
        pub fn phone_grammar(mut self, grammar: $crate::phone::PhoneGrammar) -> Self {
            self.overrides.phone_grammar = Some(grammar);
            self
        }

        /// Hands the proven phone on in a header (`x-jverify-phone`). Off by default: headers end up in access logs.
        pub fn forward_phone(mut self) -> Self {
            self.overrides.forward_phone = Some(true);
            self
        }

        /// Puts the proven phone, in its canonical eleven digits, in the place of the body's: an application cannot misread
        /// it then, whatever spelling came. For JSON (text stays text, a number a number) and forms; Content-Length is
        /// corrected, and every other byte stays. Off by default: the body is then never touched.
        ///
        /// A phone that was not proven, or does not sit in the body, is left as it is. With media types, codings or
        /// closures that cannot be pinned the layer is not built: a coding can be where the decoded bytes are handed on.
        pub fn pin_phone(mut self) -> Self {
            self.overrides.pin_phone = Some(true);
            self
        }

        /// Hands JSON and forms on in the layer's own writing, so that one body has one meaning for every backend, whatever it
        /// makes of the `Content-Type`. Off by default: the body is then handed on as it came.
        ///
        /// JSON is written without white space and in ASCII: `&`, `=`, `;`, `<`, `>` and all other characters outside of ASCII
        /// are written as `\uXXXX`. Members keep their order and numbers their digits. A name that occurs twice in one object is
        /// refused, guarded or not. Forms are encoded again, pair by pair, in their order: repeated names such as `tags[]` stay,
        /// empty pairs go, and a name without `=` gets one. The proven phone is written as
        /// [`pin_phone`](Self::pin_phone) writes it. A body that [`otherwise_pass`](crate::Rule::otherwise_pass) lets through
        /// is written in the same way.
        ///
        /// The body has no coding, `Content-Type` and `Content-Length` describe what is handed on, and `Content-Encoding`,
        /// `Content-MD5`, `Content-Digest`, `Repr-Digest` and `Digest` are removed, from trailers too. **A signature that the
        /// client makes over its body does not match any more.**
        ///
        /// Bodies in other media types, those that [`extract`](Self::extract) reads, and bodies of rules without a field in the
        /// body are handed on as they came. With a [`decode`](crate::Rule) that hands on encoded bytes the layer is not built.
        pub fn canonical_body(mut self) -> Self {
            self.overrides.canonical_body = Some(true);
            self
        }

        /// Takes the check's `exID` from `x-request-id` where that is 1 to 64 of `[A-Za-z0-9_-]`. Off by default: ids are
        /// generated.
        pub fn ex_id_from_request_id(mut self) -> Self {
            self.overrides.ex_id_from_request_id = Some(true);
            self
        }

        /// Does not look for the fields' names in the query.
        ///
        /// **Danger:** a backend that merges query and body (PHP's `$_REQUEST`, Rails' `params`) may then read another
        /// phone than the one that was verified.
        pub fn ignore_query(mut self) -> Self {
            self.overrides.ignore_query = Some(true);
            self
        }

        /// gRPC: reads the first message of a call, decides, and lets the rest of the stream flow. Off by default: a call
        /// has exactly one message.
        ///
        /// **Danger:** only the first message is verified. The application must take who logs in from no other.
        #[cfg(feature = "grpc")]
        #[cfg_attr(docsrs, doc(cfg(feature = "grpc")))]
        pub fn client_streaming(mut self) -> Self {
            self.overrides.client_streaming = Some(true);
            self
        }

        /// gRPC: a `FileDescriptorSet`, as `protoc --include_imports --descriptor_set_out` or `tonic-build` write it. Where
        /// it has the method that is a rule's path (`/package.Service/Method`), the rule's fields are those of the method's
        /// message, by name or by number, and the method says whether it is client-streaming. Default: none, and fields are
        /// numbers.
        ///
        /// **Danger:** without descriptors the members of a `oneof` are not known. A message with a guarded field and another
        /// member of its `oneof` is then accepted, and the application keeps only the member that came last.
        #[cfg(feature = "grpc-descriptors")]
        #[cfg_attr(docsrs, doc(cfg(feature = "grpc-descriptors")))]
        pub fn descriptors(mut self, file_descriptor_set: impl Into<bytes::Bytes>) -> Self {
            self.overrides.descriptors = Some(file_descriptor_set.into());
            self
        }

        /// Whether a refused gRPC call (`application/grpc` over HTTP/2) gets a gRPC answer: HTTP status 200, and the refusal in
        /// `grpc-status`. Otherwise it gets the problem document with its HTTP status. Default: only where the rule accepts
        /// `Media::Grpc`, or reads no body at all. A path that can be read in several ways never gets a gRPC answer.
        ///
        /// **Danger:** every client can send this media type. A gateway that trusts a status of 200 would take the refusal
        /// for a success.
        pub fn grpc_answers(mut self, grpc_answers: bool) -> Self {
            self.overrides.grpc_answers = Some(grpc_answers);
            self
        }

        /// Answers refusals. Default: [`Denial::response`](crate::Denial::response). The denial is added to the response's
        /// extensions either way. A panic is answered 503.
        pub fn respond(
            mut self,
            respond: impl Fn(&$crate::denial::Denial) -> http::Response<bytes::Bytes> + Send + Sync + 'static,
        ) -> Self {
            self.overrides.respond = Some(std::sync::Arc::new(respond));
            self
        }
    };
}
pub(crate) use setting_methods;
