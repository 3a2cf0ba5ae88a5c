//! What can be set for all rules, and for one.
//!
//! A setting is in one place: a line of the table below has its name, its type, its default and its documentation. The
//! setters of the builder and of a rule, what was set, and what holds are made of it.

use super::mode::Mode;
use crate::{
    denial::Respond,
    judge::{Limit, RuleVerifier},
};

/// The table. Of each setting: its setter, and the field, with the default, that the setter's value goes into.
///
/// Calls the macro whose path it gets with all of them.
macro_rules! setting_table {
    ($($for:tt)+) => { $($for)+! {
        /// What verdicts mean. Default: [`Policy::default`](crate::Policy).
        policy(policy: $crate::decision::Policy) -> policy: $crate::decision::Policy = $crate::decision::Policy::default(), policy;

        /// How long all checks of one request may take together: waiting, connecting, asking, retrying. Default: 5 s;
        /// more than 1 s, because a check is not begun with less than that left.
        deadline(deadline: std::time::Duration) -> deadline: std::time::Duration = std::time::Duration::from_secs(5), deadline;

        /// How many requests may have a check in flight (also one whose client has left); the next is answered 503. Default:
        /// 256 for the layer; a rule that sets it has its own. Where `client_ip` is set, one client holds at most an eighth.
        in_flight(requests: usize) -> in_flight: usize = 256, requests;

        /// The largest body that is read, in bytes, inclusive. Default: 65,536. Rules whose fields all sit in the head
        /// read none.
        body_limit(bytes: usize) -> body_limit: usize = 64 * 1024, bytes;

        /// How long a client may take to send its body. Default: 5 s.
        body_deadline(deadline: std::time::Duration) -> body_deadline: std::time::Duration = std::time::Duration::from_secs(5), deadline;

        /// How many bytes of bodies may be held at the same time; past that, 503. Default: 67,108,864, shared by all
        /// services of the layer. A rule that sets it has a budget of its own.
        ///
        /// A quarter is reserved for bodies of at most 4,096 bytes, so that clients that stall with large bodies do not shut
        /// out logins. One body of [`body_limit`](Self::body_limit) must fit into the other three quarters.
        buffered(bytes: usize) -> buffered: usize = 64 * 1024 * 1024, bytes;

        /// Which media types a proof is read from; others are answered 415. Default: JSON, and forms where every field
        /// of the body has one segment. [`Media::json_types`](crate::Media::json_types) names further types of JSON.
        accept(media: impl IntoIterator<Item = $crate::proof::Media>) -> accept: Vec<$crate::proof::Media> = vec![$crate::proof::Media::Json, $crate::proof::Media::Form], media.into_iter().collect();

        /// Through which content codings a body is read, and which bytes the application gets then: see
        /// [`HandOn`](crate::HandOn). Other codings are answered 415, as are several at a time. Default: none.
        ///
        /// A body is decoded within [`body_limit`](Self::body_limit) (of the decoded bytes, too) and a hundred times its encoded
        /// size; past that, 413. The budget of [`buffered`](Self::buffered) counts decoded bytes as well.
        ///
        /// Requires the Cargo feature `decompression`: without it `build()` returns an error.
        decode(codings: impl IntoIterator<Item = $crate::body::Coding>, hand_on: $crate::body::HandOn) -> decode: $crate::body::Decoding = $crate::body::Decoding::default(), $crate::body::Decoding { codings: codings.into_iter().collect(), hand_on };

        /// Reads bodies of these media types (`application/xml`, or `*/*` for each that says what it is) with a closure, in
        /// place of our readers: it gets the head and the whole body, decoded if [`Rule::decode`](crate::Rule) says so, and
        /// gives the values of the body's fields, by their pointers. Other types are read as before. Default: none.
        ///
        /// Header and query fields are still extracted, and the values returned by the closure are validated like any
        /// others. An error is answered with 400 and discarded, because it might quote the body; a panic is answered
        /// with 503. A rule whose fields all sit in the head never calls it.
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
        extract(
            media_types: impl IntoIterator<Item = impl Into<Box<str>>>,
            extract: impl Fn(&http::request::Parts, &[u8]) -> Result<$crate::proof::Extracted, Box<dyn std::error::Error + Send + Sync>>
            + Send
            + Sync
            + 'static
        ) -> extractor: Option<$crate::proof::Extractor> = None, Some($crate::proof::Extractor::new(media_types, extract));

        /// Who the client is: for its share of `in_flight`, for the limits of [`Guards`](crate::Guards), and for breakers, which count one client
        /// at most 3 times. All that are not found are one. Default: not distinguished, and no client is limited.
        ///
        /// **Danger:** a source that finds one address for everybody (the peer behind a proxy) gives them one share and one limit.
        client_ip(client_ip: $crate::judge::ClientIp) -> client_ip: Option<$crate::judge::ClientIp> = None, Some(client_ip);

        /// Whose requests are counted together by the limits of [`Guards`](crate::Guards) and of [`Rule::limit`](crate::Rule::limit), in place of
        /// the address that `client_ip` finds: a function of the request's head. Default: `client_ip`; without it, no client is limited.
        ///
        /// Requests for which it returns `None` count by their address, if `client_ip` finds one, and else all together. If it
        /// panics, the request is refused.
        ///
        /// **Danger:** it must read nothing that a client can write, such as a device id in a header: a client that changes its key is not
        /// limited. Good keys are what a layer outside of this one has verified.
        ///
        /// ```
        /// use bytes::Bytes;
        /// use tower_jverify::{Rule, number};
        ///
        /// /// Inserted by a layer outside of `JVerifyLayer`, which has verified the client's certificate.
        /// #[derive(Clone)]
        /// struct Device(Bytes);
        ///
        /// let rule = Rule::post("/login", number()).spend_key(|head| Some(head.extensions.get::<Device>()?.0.clone()));
        /// # let _ = rule;
        /// ```
        spend_key(
            find: impl Fn(&http::request::Parts) -> Option<bytes::Bytes> + Send + Sync + 'static
        ) -> spend_key: Option<$crate::judge::SpendKey> = None, Some($crate::judge::SpendKey::new(find));

        /// Sends the address that `client_ip` (required) finds to JPush, unless it is not global (private). Default: `false`.
        send_client_ip(send_client_ip: bool) -> send_client_ip: bool = false, send_client_ip;

        /// Which spellings of a phone are accepted. Default: exactly eleven digits.
        phone_grammar(grammar: $crate::phone_grammar::PhoneGrammar) -> phone_grammar: $crate::phone_grammar::PhoneGrammar = $crate::phone_grammar::PhoneGrammar::default(), grammar;

        /// Hands the proven phone on in a header (`x-jverify-phone`). Default: `false`, because headers end up in access logs.
        forward_phone(forward_phone: bool) -> forward_phone: bool = false, forward_phone;

        /// Puts the proven phone, in its canonical eleven digits, in the place of the body's: an application cannot misread
        /// it then, whatever spelling came. For JSON (text stays text, a number a number) and forms; Content-Length is
        /// corrected, and every other byte stays. Default: `false`: the body is then never touched.
        ///
        /// A phone that was not proven, does not sit in the body, or is null or empty there, is left as it is. With media types, codings or
        /// closures that cannot be pinned the layer is not built: a coding can be where the decoded bytes are handed on.
        pin_phone(pin_phone: bool) -> pin_phone: bool = false, pin_phone;

        /// Hands JSON and forms on in the layer's own writing, so that one body has one meaning for every backend, whatever it
        /// makes of the `Content-Type`. Default: `false`: the body is then handed on as it came.
        ///
        /// JSON is written without white space and in ASCII: `&`, `=`, `;`, `<`, `>` and all other characters outside of ASCII
        /// are written as `\uXXXX`. Members keep their order and numbers their digits. A name that occurs twice in one object is
        /// refused, guarded or not. Forms are encoded again, pair by pair, in their order: repeated names such as `tags[]` stay,
        /// empty pairs go, and a name without `=` gets one. The proven phone is written as
        /// [`pin_phone`](Self::pin_phone) writes it. A body that [`otherwise_pass`](crate::Rule::otherwise_pass) lets through
        /// is written in the same way, if it was read: with `when` in a header it is not.
        ///
        /// The body has no coding, `Content-Type` and `Content-Length` describe what is handed on, and `Content-Encoding`,
        /// `Content-MD5`, `Content-Digest`, `Repr-Digest` and `Digest` are removed, from trailers too. **A signature that the
        /// client makes over its body does not match any more.**
        ///
        /// Bodies in other media types, those that [`extract`](Self::extract) reads, and bodies of rules without a field in the
        /// body are handed on as they came. With a [`decode`](crate::Rule) that hands on encoded bytes the layer is not built.
        canonical_body(canonical_body: bool) -> canonical_body: bool = false, canonical_body;

        /// Takes the check's `exID` from `x-request-id` where that is 1 to 64 of `[A-Za-z0-9_-]`. Default: `false`:
        /// ids are generated.
        ex_id_from_request_id(ex_id_from_request_id: bool) -> ex_id_from_request_id: bool = false, ex_id_from_request_id;

        /// Does not look for the fields' names in the query. Default: `false`.
        ///
        /// **Danger:** a backend that merges query and body (PHP's `$_REQUEST`, Rails' `params`) may then read another
        /// phone than the one that was verified.
        ignore_query(ignore_query: bool) -> ignore_query: bool = false, ignore_query;

        /// gRPC: reads the first message of a call, decides, and lets the rest of the stream flow. Default: `false`:
        /// a call has exactly one message.
        ///
        /// **Danger:** only the first message is verified. The application must take who logs in from no other.
        ///
        /// Requires the Cargo feature `grpc`: without it `build()` returns an error.
        client_streaming(client_streaming: bool) -> client_streaming: bool = false, client_streaming;

        /// gRPC: a `FileDescriptorSet`, as `protoc --include_imports --descriptor_set_out` or `tonic-build` write it. Where
        /// it has the method that is a rule's path (`/package.Service/Method`), the rule's fields are those of the method's
        /// message, by name or by number, and the method says whether it is client-streaming. Default: none, and fields are
        /// numbers.
        ///
        /// **Danger:** without descriptors the members of a `oneof` are not known. A message with a guarded field and another
        /// member of its `oneof` is then accepted, and the application keeps only the member that came last.
        ///
        /// Requires the Cargo feature `grpc-descriptors`: without it `build()` returns an error.
        descriptors(file_descriptor_set: impl Into<bytes::Bytes>) -> descriptors: Option<bytes::Bytes> = None, Some(file_descriptor_set.into());

        /// Whether a refused gRPC call (`application/grpc`) gets a gRPC answer: HTTP status 200, and the refusal in
        /// `grpc-status`. Otherwise it gets the problem document with its HTTP status. Default: only over HTTP/2, and where
        /// the rule accepts `Media::Grpc`, or reads no body at all. A path that can be read in several ways never gets a gRPC
        /// answer.
        ///
        /// gRPC-Web: set `true` where tonic-web's `GrpcWebLayer` is outside of this layer. It translates calls and leaves their
        /// HTTP version, which is often HTTP/1.1. With this setting the client gets the refusal as a gRPC status, without it
        /// as an HTTP status.
        ///
        /// **Danger:** every client can send this media type. A gateway that trusts a status of 200 would take the refusal
        /// for a success.
        grpc_answers(grpc_answers: bool) -> grpc_answers: Option<bool> = None, Some(grpc_answers);
    } };
}

/// The setters of [`Overrides`], for a type that has them in a field `overrides`.
macro_rules! setting_methods {
    () => {
        $crate::rule::setting_table! { $crate::rule::setters }

        /// Answers refusals with a closure. It gets the head of the request, without the headers under the layer's prefix, and the
        /// denial. It returns a response, or an `Option` of one: `None` is the built-in answer
        /// ([`Denial::response`](crate::Denial::response)). Default: the built-in answer.
        ///
        /// The denial is added to the response's extensions either way. A panic is answered with 503.
        ///
        /// [`respond_async`](Self::respond_async) and, with the feature `axum`, `respond_into` set the same: the last call counts.
        ///
        /// ```
        /// use bytes::Bytes;
        /// use http::{Response, header::{ACCEPT, LOCATION}, request::Parts};
        /// use tower_jverify::{Denial, Rule, number};
        ///
        /// // Browsers return to the form, and other clients get the problem document.
        /// fn to_form(head: &Parts, denial: &Denial) -> Option<Response<Bytes>> {
        ///     let accepts = head.headers.get(ACCEPT)?.to_str().ok()?;
        ///     let location = format!("/login?error={}", denial.code());
        ///     let redirect = Response::builder().status(303).header(LOCATION, location).body(Bytes::new());
        ///     if accepts.contains("text/html") { redirect.ok() } else { None }
        /// }
        /// let rule = Rule::post("/login", number()).respond(to_form);
        /// # let _ = rule;
        /// ```
        pub fn respond<R>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> R + Send + Sync + 'static,
        ) -> Self
        where
            R: Into<Option<http::Response<bytes::Bytes>>>,
        {
            self.overrides.respond = Some($crate::denial::Respond::now(respond));
            self
        }

        /// Answers refusals with a closure that returns a future of what [`respond`](Self::respond) takes. The future borrows
        /// nothing: the closure clones what it needs out of the head and the denial.
        ///
        /// The future has 1 s, and then the built-in answer goes out. It is dropped when the client leaves. A panic is answered with
        /// 503.
        ///
        /// ```
        /// use tower_jverify::{Denial, Rule, number};
        ///
        /// # async fn audit(_: String) {}
        /// let rule = Rule::post("/login", number()).respond_async(|head, denial: &Denial| {
        ///     let row = format!("{} {} {}", head.uri.path(), denial.code(), denial.detail().unwrap_or("-"));
        ///     let built_in = denial.response();
        ///     async move {
        ///         audit(row).await;
        ///         built_in
        ///     }
        /// });
        /// # let _ = rule;
        /// ```
        pub fn respond_async<F>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> F + Send + Sync + 'static,
        ) -> Self
        where
            F: Future<Output: Into<Option<http::Response<bytes::Bytes>>>> + Send + 'static,
        {
            self.overrides.respond = Some($crate::denial::Respond::later(respond));
            self
        }

        /// Answers refusals with a closure that returns anything that axum makes a response of. Otherwise as
        /// [`respond`](Self::respond). A body that is a stream has 1 s in all, and is sent when it is whole.
        ///
        /// ```
        /// use axum::response::Redirect;
        /// use tower_jverify::{Rule, number};
        ///
        /// let rule = Rule::post("/login", number()).respond_into(|_head, denial| {
        ///     Redirect::to(&format!("/login?error={}", denial.code()))
        /// });
        /// # let _ = rule;
        /// ```
        #[cfg(feature = "axum")]
        #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
        pub fn respond_into<R>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> R + Send + Sync + 'static,
        ) -> Self
        where
            R: axum::response::IntoResponse,
        {
            self.overrides.respond = Some($crate::denial::Respond::axum(respond));
            self
        }
    };
}

macro_rules! setters {
    ($(
        $(#[$attribute:meta])*
        $setter:ident($($argument:ident: $type:ty),* $(,)?) -> $field:ident: $stored:ty = $default:expr, $value:expr;
    )+) => {$(
        $(#[$attribute])*
        pub fn $setter(mut self, $($argument: $type),*) -> Self {
            self.overrides.$field = Some($value);
            self
        }
    )+};
}

macro_rules! fields {
    ($(
        $(#[$attribute:meta])*
        $setter:ident($($argument:ident: $type:ty),* $(,)?) -> $field:ident: $stored:ty = $default:expr, $value:expr;
    )+) => {
        /// What was set, and what was left.
        #[derive(Clone, Default)]
        pub(crate) struct Overrides {
            $(pub(crate) $field: Option<$stored>,)+
            /// Set by three setters.
            pub(crate) respond: Option<Respond>,
            /// Of a rule only.
            pub(super) other_phones: Option<Vec<Box<str>>>,
            /// Of a rule only.
            pub(super) limits: Vec<Limit>,
            /// Of a rule only.
            pub(super) on_demand: bool,
            /// Of the layer's verifier, or of the rule's own.
            pub(crate) account: Option<Box<str>>,
            /// Of a rule only.
            pub(super) verifier: Option<RuleVerifier>,
            /// No setter selects it yet.
            pub(super) mode: Option<Mode>,
        }

        /// What holds for one rule, as it was set: not checked yet.
        #[derive(Clone)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
        pub(super) struct Values {
            $(pub(super) $field: $stored,)+
        }

        impl Values {
            /// A rule's own, then the layer's, then the default.
            pub(super) fn of(rule: &Overrides, layer: &Overrides) -> Self {
                Self {
                    $($field: rule.$field.as_ref().or(layer.$field.as_ref()).cloned().unwrap_or_else(|| $default),)+
                }
            }
        }
    };
}

setting_table! { fields }
pub(crate) use setters;
pub(crate) use setting_methods;
pub(crate) use setting_table;
