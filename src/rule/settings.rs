//! Settings, for all rules or for one rule.
//!
//! Each setting is one entry of the table below: its name, type, default and documentation. The setters of the builder and
//! of a rule, the stored overrides and the resolved values are generated from the table.

use crate::{
    denial::Respond,
    judge::{Limit, RuleVerifier},
};

/// The table. Each entry has the setter, and the field (with its default) that stores the setter's value.
///
/// Calls the given macro with all entries.
macro_rules! setting_table {
    ($($for:tt)+) => { $($for)+! {
        /// Decides what each verdict means. Default: [`Policy::default`](crate::Policy).
        policy(policy: $crate::decision::Policy) -> policy: $crate::decision::Policy = $crate::decision::Policy::default(), policy;

        /// Limits how long all checks of one request may take together: waiting, connecting, asking, retrying. Default: 5
        /// s; must be more than 1 s, because no check starts with less left.
        deadline(deadline: std::time::Duration) -> deadline: std::time::Duration = std::time::Duration::from_secs(5), deadline;

        /// Limits how many requests may have a check in flight; more are answered 503. A check whose client has left still
        /// counts. Default: 256 for the layer; a rule that sets it has a separate limit. If `client_ip` is set, one client
        /// holds at most an eighth.
        in_flight(requests: usize) -> in_flight: usize = 256, requests;

        /// The largest body that is read, in bytes, inclusive. Default: 65,536. A rule whose fields are all in the head
        /// reads no body.
        body_limit(bytes: usize) -> body_limit: usize = 64 * 1024, bytes;

        /// Limits how long a client may take to send its body. Default: 5 s.
        body_deadline(deadline: std::time::Duration) -> body_deadline: std::time::Duration = std::time::Duration::from_secs(5), deadline;

        /// Limits how many bytes of bodies are held in memory at the same time; more are answered 503. Default: 67,108,864,
        /// shared by all services of the layer. A rule that sets it has a separate budget.
        ///
        /// A quarter is reserved for bodies of at most 4,096 bytes, so that clients that stall with large bodies do not
        /// block logins. The other three quarters must hold at least one body of [`body_limit`](Self::body_limit).
        buffered(bytes: usize) -> buffered: usize = 64 * 1024 * 1024, bytes;

        /// Sets the media types from which a proof is read; others are answered 415. Default: JSON, and forms where every
        /// field of the body has one segment. [`Media::json_types`](crate::Media::json_types) names further types of JSON.
        accept(media: impl IntoIterator<Item = $crate::proof::Media>) -> accept: Vec<$crate::proof::Media> = vec![$crate::proof::Media::Json, $crate::proof::Media::Form], media.into_iter().collect();

        /// Sets the content codings that are decoded, and which bytes the application then receives: see
        /// [`HandOn`](crate::HandOn). Other codings, and several codings at once, are answered 415. Default: none.
        ///
        /// The decoded body may have at most [`body_limit`](Self::body_limit) bytes and at most a hundred times its encoded
        /// size; larger ones are answered 413. The budget of [`buffered`](Self::buffered) also counts decoded bytes.
        ///
        /// Requires the Cargo feature `decompression`: without it `build()` returns an error.
        decode(codings: impl IntoIterator<Item = $crate::body::Coding>, hand_on: $crate::body::HandOn) -> decode: $crate::body::Decoding = $crate::body::Decoding::default(), $crate::body::Decoding { codings: codings.into_iter().collect(), hand_on };

        /// Reads bodies of these media types (`application/xml`, or `*/*` for every body with a `Content-Type`) with a
        /// closure instead of the built-in readers. The closure receives the head and the whole body (decoded, if
        /// [`Rule::decode`](crate::Rule) is set) and returns the values of the body's fields by their pointers. Other types
        /// use the built-in readers. Default: none.
        ///
        /// Header and query fields are still extracted, and the values returned by the closure are validated like any
        /// others. An error is answered with 400 and discarded, because it might quote the body; a panic is answered
        /// with 503. A rule whose fields are all in the head never calls the closure.
        ///
        /// **Danger:** the closure must read the same values as the application, also when a name occurs twice.
        ///
        /// ```
        /// use tower_jverify::{Extracted, Rule, number};
        ///
        /// // Two lines: the token and the phone.
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

        /// Sets how the client's address is found. It identifies the client for its share of `in_flight`, for the limits of
        /// [`Guards`](crate::Guards), and for breakers, which count one client at most 3 times. All clients without an
        /// address count as one. Default: clients are not distinguished, and no client is limited.
        ///
        /// **Danger:** a source that finds one address for all clients (the peer behind a proxy) gives them one share and
        /// one limit.
        client_ip(client_ip: $crate::judge::ClientIp) -> client_ip: Option<$crate::judge::ClientIp> = None, Some(client_ip);

        /// Sets a function of the request's head that returns the key by which the limits of [`Guards`](crate::Guards) and
        /// of [`Rule::limit`](crate::Rule::limit) count requests, instead of the address that `client_ip` finds. Default:
        /// `client_ip`; without it, no client is limited.
        ///
        /// Requests for which it returns `None` count by the address that `client_ip` finds, or all together if there is
        /// none. If it panics, the request is refused.
        ///
        /// **Danger:** the function must not read anything that a client can write, such as a device id in a header: a
        /// client that changes its key is not limited. Use a key that an outer layer has verified.
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

        /// Sets the accepted spellings of a phone. Default: exactly eleven digits.
        phone_grammar(grammar: $crate::phone_grammar::PhoneGrammar) -> phone_grammar: $crate::phone_grammar::PhoneGrammar = $crate::phone_grammar::PhoneGrammar::default(), grammar;

        /// Passes the proven phone to the application in the header `x-jverify-phone`. Default: `false`, because headers
        /// appear in access logs.
        forward_phone(forward_phone: bool) -> forward_phone: bool = false, forward_phone;

        /// Replaces the phone in the body with the proven phone in its canonical eleven digits, so that the application
        /// cannot misread the client's spelling. Applies to JSON (text stays text, a number stays a number) and forms.
        /// Content-Length is corrected, and every other byte stays. Default: `false`: the body is not changed.
        ///
        /// A phone that was not proven, is not in the body, or is null or empty, is left unchanged. `build()` returns an
        /// error for bodies that cannot be pinned: other media types, bodies of closures, and codings that hand on encoded
        /// bytes.
        pin_phone(pin_phone: bool) -> pin_phone: bool = false, pin_phone;

        /// Writes JSON and forms again in a canonical form, so that one body has one meaning for every backend, however it
        /// interprets the `Content-Type`. Default: `false`: the body is passed on unchanged.
        ///
        /// JSON is written without white space and in ASCII: `&`, `=`, `;`, `<`, `>` and all other characters outside of ASCII
        /// are written as `\uXXXX`. Members keep their order and numbers their digits. A name that occurs twice in one object is
        /// refused, whether it is guarded or not. Forms are encoded again, pair by pair, in their order: repeated names
        /// such as `tags[]` stay, empty pairs are removed, and a name without `=` gets one. The proven phone is written as
        /// [`pin_phone`](Self::pin_phone) writes it. A body that [`otherwise_pass`](crate::Rule::otherwise_pass) lets through
        /// is written in the same way if it was read (it is not read when `when` is in a header).
        ///
        /// The new body has no coding, `Content-Type` and `Content-Length` describe it, and `Content-Encoding`,
        /// `Content-MD5`, `Content-Digest`, `Repr-Digest` and `Digest` are removed, from trailers too. **A client's
        /// signature over its body no longer matches.**
        ///
        /// Bodies in other media types, bodies that [`extract`](Self::extract) reads, and bodies of rules without a field
        /// in the body are passed on unchanged. `build()` returns an error if [`decode`](crate::Rule) hands on encoded
        /// bytes.
        canonical_body(canonical_body: bool) -> canonical_body: bool = false, canonical_body;

        /// Uses the request's `x-request-id` as the check's `exID` if it is 1 to 64 characters of `[A-Za-z0-9_-]`. Default:
        /// `false`: ids are generated.
        ex_id_from_request_id(ex_id_from_request_id: bool) -> ex_id_from_request_id: bool = false, ex_id_from_request_id;

        /// Does not look for the fields' names in the query. Default: `false`.
        ///
        /// **Danger:** a backend that merges query and body (PHP's `$_REQUEST`, Rails' `params`) may then read a phone
        /// other than the verified one.
        ignore_query(ignore_query: bool) -> ignore_query: bool = false, ignore_query;

        /// gRPC: reads the first message of a call, decides, and passes on the rest of the stream. Default: `false`: a call
        /// must have exactly one message.
        ///
        /// **Danger:** only the first message is verified. The application must not read from a later message who logs in.
        ///
        /// Requires the Cargo feature `grpc`: without it `build()` returns an error.
        client_streaming(client_streaming: bool) -> client_streaming: bool = false, client_streaming;

        /// gRPC: a `FileDescriptorSet`, as written by `protoc --include_imports --descriptor_set_out` or `tonic-build`. If
        /// it contains the method of a rule's path (`/package.Service/Method`), the rule's fields are fields of the
        /// method's message, by name or by number, and the method determines whether calls are client-streaming. Default:
        /// none, and fields are numbers.
        ///
        /// **Danger:** without descriptors the members of a `oneof` are not known. A message with a guarded field and another
        /// member of its `oneof` is then accepted, and the application keeps only the last member.
        ///
        /// Requires the Cargo feature `grpc-descriptors`: without it `build()` returns an error.
        descriptors(file_descriptor_set: impl Into<bytes::Bytes>) -> descriptors: Option<bytes::Bytes> = None, Some(file_descriptor_set.into());

        /// Sets whether a refused gRPC call (`application/grpc`) gets a gRPC answer: HTTP status 200, and the refusal in
        /// `grpc-status`. Otherwise it gets the problem document with its HTTP status. Default: only over HTTP/2, and only
        /// if the rule accepts `Media::Grpc` or reads no body. A path with several readings never gets a gRPC
        /// answer.
        ///
        /// gRPC-Web: set `true` if tonic-web's `GrpcWebLayer` is outside of this layer. It translates calls and keeps their
        /// HTTP version, which is often HTTP/1.1. With this setting the client receives the refusal as a gRPC status,
        /// otherwise as an HTTP status.
        ///
        /// **Danger:** every client can send this media type. A gateway that trusts status 200 would treat the refusal as a
        /// success.
        grpc_answers(grpc_answers: bool) -> grpc_answers: Option<bool> = None, Some(grpc_answers);

        /// Sets whether refused requests reach the application: see [`Mode`](crate::Mode). Default: [`Mode::Enforce`](crate::Mode):
        /// they do not.
        ///
        /// **Danger:** in every other mode, unverified requests reach the application.
        mode(mode: $crate::rule::Mode) -> mode: $crate::rule::Mode = $crate::rule::Mode::Enforce, mode;

        /// Limits how long a request in shadow may wait for its decision, from its arrival: reading its body and its checks.
        /// Default: 1.5 s; 10 ms to 60 s. While the body is read, the shortest one of the path's rules applies.
        ///
        /// After that, the request is passed on as `would-deny`, with the reason `unavailable`, or `body_timeout` while its body is read. Its
        /// checks are finished for the record, in a task, within [`deadline`](Self::deadline): see
        /// [`Decided::is_late`](crate::Decided::is_late). If the client leaves, only the running check is finished.
        shadow_deadline(deadline: std::time::Duration) -> shadow_deadline: std::time::Duration = std::time::Duration::from_millis(1_500), deadline;

        /// Sends no check for a request in shadow. Its proof is read and validated, and it passes as `not-asked`. Nothing is
        /// billed, claimed or counted. Default: `false`.
        shadow_unasked(shadow_unasked: bool) -> shadow_unasked: bool = false, shadow_unasked;

        /// Enforces a rule in shadow, or one that is rolled out, for a request with this header and value: for testers. Default:
        /// no header.
        ///
        /// The header is removed from every request, in every spelling, and from trailers. A wrong value, a repeated header,
        /// and a header in another spelling (`_` for `-`) count as none. The value is compared in constant time.
        ///
        /// The secret has at least 16 bytes. Names that others use, such as `authorization`, are an error of `build()`.
        ///
        /// ```
        /// use http::HeaderName;
        /// use tower_jverify::{Mode, Rule, number};
        ///
        /// # let secret = "0123456789abcdef";
        /// let header = HeaderName::from_static("x-rollout-tester");
        /// let rule = Rule::post("/login", number()).mode(Mode::Shadow).enforce_when(header, secret);
        /// # let _ = rule;
        /// ```
        enforce_when(header: http::HeaderName, secret: impl Into<$crate::secret::Secret>) -> enforce_when: Option<$crate::rule::Tester> = None, Some($crate::rule::Tester::new(header, secret.into()));

        /// Lets scripts of other origins read denials: see [`Cors`](crate::Cors). Default: none, and browsers keep denials from
        /// the scripts of other origins, unless a `CorsLayer` outside of this layer allows them.
        ///
        /// The headers are added to every denial, also to those of [`respond`](Self::respond), where they replace its
        /// `Access-Control-*` headers. `Vary: Origin` is added whether the origin is allowed or not. Preflights are not answered.
        cors(cors: $crate::denial::Cors) -> cors: Option<std::sync::Arc<$crate::denial::Cors>> = None, Some(cors.into());

        /// Sets the template of the page that a denial has in a browser: when the request's `Accept` ranks `text/html` strictly
        /// higher than `application/problem+json` and `application/json`, and the request is not a gRPC call. Default: a page
        /// in English or Chinese, for narrow and wide screens, light and dark.
        ///
        /// The slots `{lang}` (`en` or `zh-CN`), `{title}`, `{code}`, `{next}` and `{retry_after}` are replaced by texts in the
        /// client's language. `{next}` is a sentence or two; `{retry_after}` is a sentence, or empty if no time is known.
        /// Inside of `<style>` no slot is replaced. The page is sent with the `Content-Security-Policy`
        /// `default-src 'none'; style-src 'sha256-…'`, which allows its `<style>` elements, but no script, no image, no font and no
        /// `style` attribute.
        ///
        /// `build()` refuses a template with a slot that does not exist, or a `<script>`; without `<!doctype html>` at its
        /// start, `lang="{lang}"`, `role="alert"`, `{title}` or exactly one `<h1>`; or whose page may have more than 6,144 bytes.
        ///
        /// ```
        /// use tower_jverify::{Rule, number};
        ///
        /// let rule = Rule::post("/login", number()).denial_page(
        ///     r#"<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>{title}</title>
        ///     <main><div role="alert"><h1>{title}</h1><p>{next} {retry_after}</p></div><a href="/">⌂ {code}</a></main>"#,
        /// );
        /// # let _ = rule;
        /// ```
        denial_page(template: impl Into<Box<str>>) -> denial_page: Option<Box<str>> = None, Some(template.into());

        /// Sets the URI to which the denial's code is added for the `type` of problem documents: with
        /// `https://example.com/answers#`, the type of `captcha_required` is `https://example.com/answers#captcha_required`.
        /// Default: `about:blank` for every problem.
        ///
        /// It begins with `https://` or `http://`, ends with `/` or `#`, and has at most 256 bytes. The page
        /// [`docs/answers.md`](crate::docs::answers) has a heading for each code, to which these fragments point if you serve it.
        problem_types(base: impl Into<Box<str>>) -> problem_types: Option<Box<str>> = None, Some(base.into());

        /// Issues passes, and accepts one in place of a number check: see [`Passes`](crate::Passes). Default: none; a rule sets `None` where the
        /// layer issues them.
        ///
        /// Only number checks have passes. A rule without [`number`](crate::number()) may not set this, and ignores the layer's: the client of a
        /// one-tap login does not know the phone that a pass is bound to.
        ///
        /// A request with a pass and a token uses the token, and the pass can be used later. A pass that cannot be used is answered 403 `proof_expired`, next
        /// `new_token`, and no check is sent; the event has the reason `pass_invalid`, `pass_expired` or `pass_used`. Limits of a client count a
        /// request with a pass like any other, except for [`per_client_and_phone`](crate::GuardsBuilder::per_client_and_phone), and the pass costs nothing of a budget.
        ///
        /// A request in shadow gets no pass, because a rule in shadow answers nothing; a pass that it has is checked and claimed as usual. Requests that
        /// [`otherwise_pass`](crate::Rule::otherwise_pass) or [`guard_unless`](crate::Rule::guard_unless) lets through use no pass.
        passes(passes: impl Into<Option<$crate::pass::Passes>>) -> passes: Option<$crate::pass::Passes> = None, passes.into();

        /// Sets where a client sends its pass: a header or a field of the body. Default: the header `pass` under
        /// [`header_prefix`](crate::JVerifyBuilder::header_prefix), `x-jverify-pass`.
        ///
        /// The header is removed from every request, in every spelling. A request with two passes, or with one in two places, is
        /// answered 400 `proof_malformed`. A query, which is written to access logs, is an error of `build()`, and so are several places, a header that
        /// others use, and another header under the prefix.
        ///
        /// ```
        /// use tower_jverify::{Field, Rule, number};
        ///
        /// let rule = Rule::post("/login", number()).pass_field(Field::body("/pass"));
        /// # let _ = rule;
        /// ```
        pass_field(field: $crate::proof::Field) -> pass_field: Option<$crate::proof::Field> = None, Some(field);

        /// Also adds a pass to these answers of the application, as the header `x-jverify-pass`, if the request passed with a number check or with a
        /// pass: a client that mistyped its password then needs no second number check. Default: none. Statuses from 400 to 499.
        ///
        /// One number check is followed by at most three such passes, all of which end when the first one does.
        ///
        /// **Danger:** with each pass a client can try another password: also limit the attempts for each account in the application.
        ///
        /// A rule with [`on_demand`](crate::Rule::on_demand), whose handler looks at the password first, may not set it, and ignores the layer's.
        ///
        /// ```
        /// use tower_jverify::{Passes, Rule, number};
        ///
        /// # let secret = "b3f1c02d5e6a4798b3f1c02d5e6a4798";
        /// let passes = Passes::hs256("2026-11", secret).audience("accounts");
        /// let rule = Rule::post("/login", number()).passes(passes).retry_pass([401, 422]);
        /// # let _ = rule;
        /// ```
        retry_pass(statuses: impl IntoIterator<Item = u16>) -> retry_pass: Vec<u16> = Vec::new(), statuses.into_iter().collect();
        /// Signs a statement about each request that the rule lets through, in the header `x-jverify-assertion`, for a backend that does not want to
        /// trust the network between the layer and itself: see [`Assertions`](crate::Assertions) and [the page on
        /// assertions](crate::docs::assertion). Default: none.
        ///
        /// Every such request has one (a rule with `None` undoes what the layer sets), whether it is allowed, flagged, unverified or in shadow; the statement says which. Requests that no rule
        /// guards, that [`otherwise_pass`](crate::Rule::otherwise_pass) or [`guard_unless`](crate::Rule::guard_unless) lets through, or whose rule is
        /// [`on_demand`](crate::Rule::on_demand) have none. Where the layer is mounted twice, the inner service that decides writes the statement.
        ///
        /// Requires the Cargo feature `pass`: without it `build()` returns an error.
        assertion(assertions: impl Into<Option<$crate::pass::Assertions>>) -> assertion: Option<$crate::pass::Assertions> = None, assertions.into();
    } };
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
        /// The settings that were set.
        #[derive(Clone, Default)]
        pub(crate) struct Overrides {
            $(pub(crate) $field: Option<$stored>,)+
            /// Set by three setters.
            pub(crate) respond: Option<Respond>,
            /// Only rules have it.
            pub(super) other_phones: Option<Vec<Box<str>>>,
            /// Only rules have it.
            pub(super) limits: Vec<Limit>,
            /// Only rules have it.
            pub(super) on_demand: bool,
            /// Of the layer's verifier, or of the rule's verifier.
            pub(crate) account: Option<Box<str>>,
            /// Only rules have it.
            pub(super) verifier: Option<RuleVerifier>,
        }

        /// The values of one rule, as they were set: not checked yet.
        #[derive(Clone)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a separate switch")]
        pub(super) struct Values {
            $(pub(super) $field: $stored,)+
        }

        impl Values {
            /// Takes each value from the rule, then from the layer, then from the defaults.
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
pub(crate) use setting_table;
