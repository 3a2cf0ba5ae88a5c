//! Converts a check into an HTTP request.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::Full;

use super::{base_url::BaseUrl, changing::Changing, credentials::Credentials, echo::Echo};
use crate::{
    check::{Channel, Check, Question},
    check_kind::CheckKind,
    error::ConfigError,
    headers::decimal,
};

/// The parts of a request that do not depend on the check, created once.
pub(super) struct Endpoints {
    headers: HeaderMap,
    /// `Authorization`, if the value in `headers` may be outdated.
    authorization: Option<Changing<HeaderValue>>,
    number: ByChannel,
    captcha: Endpoint,
    one_tap: ByChannel,
    risk: Endpoint,
}

struct ByChannel {
    app: Endpoint,
    web: Endpoint,
}

/// One of the vendor's endpoints.
pub(super) struct Endpoint {
    uri: Uri,
    echo: Echo,
}

// === impl Endpoints ===

impl Endpoints {
    /// The vendor's endpoints under a base URL (reference documents, "Call Address"; one-tap and risk query: the
    /// vendor's REST API pages).
    ///
    /// # Errors
    ///
    /// `base_url`: if it does not form a URI with the paths. `credentials`: see [`Credentials::authorization`].
    pub(super) fn new(base: &BaseUrl, credentials: &Credentials) -> Result<Self, ConfigError> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, base.host()?);
        headers.insert(AUTHORIZATION, credentials.authorization()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Each request replaces this value. Adding a header would make the full map grow.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))),
        );
        let endpoint = |path| Ok(Endpoint { uri: base.endpoint(path)?, echo: Echo::default() });
        let by_channel = |app, web| Ok(ByChannel { app: endpoint(app)?, web: endpoint(web)? });
        Ok(Self {
            headers,
            authorization: credentials.changing(),
            number: by_channel("/v2/web/verify", "/v2/web/h5/verify")?,
            captcha: endpoint("/action/check")?,
            one_tap: by_channel("/v2/web/loginTokenVerify", "/v2/web/h5/loginTokenVerify")?,
            risk: endpoint("/v2/web/queryBusinessRisk")?,
        })
    }

    /// The request of a check.
    ///
    /// # Errors
    ///
    /// `credentials`: if they have become unusable.
    pub(super) fn request(&self, check: &Check) -> Result<Request<Full<Bytes>>, ConfigError> {
        let body = body(check);
        let length = decimal(u64::try_from(body.len()).unwrap_or(u64::MAX));
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.of(check).uri.clone();
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_LENGTH, length);
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.get()?);
        }
        Ok(request)
    }

    /// The endpoint of a check.
    pub(super) fn of(&self, check: &Check) -> &Endpoint {
        match check.question() {
            Question::Number { .. } => self.number.of(check.channel()),
            Question::Captcha { .. } => &self.captcha,
            Question::OneTap { .. } => self.one_tap.of(check.channel()),
            Question::Risk { .. } => &self.risk,
        }
    }
}

impl ByChannel {
    fn of(&self, channel: Channel) -> &Endpoint {
        match channel {
            Channel::App => &self.app,
            Channel::Web => &self.web,
        }
    }
}

impl Endpoint {
    /// Records whether a reply repeats the `exID` of its check.
    pub(super) fn note(&self, repeats_ex_id: bool, is_pass: bool) {
        self.echo.note(self.uri.path(), repeats_ex_id, is_pass);
    }
}

/// The JSON of a check, written directly into the buffer that is sent. A phone is a string, as documented.
///
/// The capacity is exact unless a character must be escaped: `Bytes` takes over a full `Vec` without another allocation.
fn body(check: &Check) -> Vec<u8> {
    // Names are written with their quotes and the first one of the value.
    let (proof, phone) = match check.question() {
        Question::Number { token, phone } => (Some((r#""token":""#, token)), Some(phone)),
        Question::Captcha { content } => (Some((r#""captchaContent":""#, content)), None),
        Question::OneTap { login_token } => (Some((r#""loginToken":""#, login_token)), None),
        Question::Risk { phone } => (None, Some(phone)),
    };
    let proof = proof.map(|(name, proof)| (name, proof.expose()));
    // The document of the captcha endpoint has no `ip`.
    let ip = check.ip().filter(|_| check.kind() != CheckKind::Captcha).map(|ip| ip.to_string());
    // These values have no characters that need an escape.
    let plain = [
        phone.map(|phone| (r#""phone":""#, phone.digits())),
        check.ex_id().map(|ex_id| (r#""exID":""#, ex_id.as_str().as_bytes())),
        ip.as_deref().map(|ip| (r#""ip":""#, ip.as_bytes())),
    ];
    let bytes = proof.map(|(name, proof)| (name, proof.as_bytes()));
    // A brace or comma before each, a quote behind it.
    let length: usize =
        bytes.iter().chain(plain.iter().flatten()).map(|(name, value)| 1 + name.len() + value.len() + 1).sum();
    let mut json = Vec::with_capacity(length + 1);
    if let Some((name, proof)) = proof {
        // Escapes are rare, and this loop over all bytes is a few vector instructions.
        if proof.bytes().fold(false, |found, byte| found | matches!(byte, 0..=0x1f | b'"' | b'\\')) {
            json.push(b'{');
            json.extend_from_slice(name.trim_end_matches('"').as_bytes());
            serde_json::to_writer(&mut json, proof).expect("a text is JSON and a Vec takes every byte");
        } else {
            write(&mut json, name, proof.as_bytes());
        }
    }
    for (name, value) in plain.into_iter().flatten() {
        write(&mut json, name, value);
    }
    json.push(b'}');
    json
}

fn write(json: &mut Vec<u8>, name: &str, value: &[u8]) {
    json.push(if json.is_empty() { b'{' } else { b',' });
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(value);
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{super::reach::Reach, *};
    use crate::{ex_id::ExId, phone::Phone};

    fn phone() -> Phone {
        Phone::parse("15813554612").unwrap()
    }

    fn sent(check: &Check) -> String {
        String::from_utf8(body(check)).unwrap()
    }

    #[test]
    fn a_number_check_is_the_reference_documents_request_with_the_phone_as_string() {
        let check = Check::number("STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw", phone())
            .with_ex_id(ExId::parse("1234566").unwrap())
            .with_ip("183.238.29.30".parse().unwrap());
        let token = r#""token":"STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw""#;
        let rest = r#""phone":"15813554612","exID":"1234566","ip":"183.238.29.30""#;
        assert_eq!(sent(&check), format!("{{{token},{rest}}}"));
    }

    #[test]
    fn each_kind_sends_its_own_fields_only() {
        let ip = "183.238.29.30".parse().unwrap();
        assert_eq!(sent(&Check::captcha("c").with_ip(ip)), r#"{"captchaContent":"c"}"#);
        assert_eq!(sent(&Check::one_tap("t").with_ip(ip)), r#"{"loginToken":"t","ip":"183.238.29.30"}"#);
        assert_eq!(sent(&Check::risk(phone())), r#"{"phone":"15813554612"}"#);
    }

    #[test]
    fn the_buffer_is_exactly_as_long_as_what_is_sent() {
        let check =
            Check::number("token", phone()).with_ex_id(ExId::generate()).with_ip("183.238.29.30".parse().unwrap());
        for check in [check, Check::captcha("c"), Check::one_tap("t"), Check::risk(phone())] {
            let body = body(&check);
            assert_eq!(body.capacity(), body.len(), "{check:?}");
        }
    }

    #[test]
    fn whatever_a_token_is_made_of_stays_inside_its_string() {
        let token = "\",\"phone\":\"13900000000\n\u{7f}\u{1f}\\é\u{10ffff}";
        let body = body(&Check::number(token, phone()));
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read, serde_json::json!({"token": token, "phone": "15813554612"}));
    }

    #[test]
    fn each_kind_and_channel_has_its_endpoint() {
        let base = BaseUrl::parse("https://api.verification.jpush.cn", Reach::Loopback).unwrap();
        let endpoints = Endpoints::new(&base, &Credentials::new("key", "secret").unwrap()).unwrap();
        for (check, app, web) in [
            (Check::number("t", phone()), "/v2/web/verify", "/v2/web/h5/verify"),
            (Check::captcha("t"), "/action/check", "/action/check"),
            (Check::one_tap("t"), "/v2/web/loginTokenVerify", "/v2/web/h5/loginTokenVerify"),
            (Check::risk(phone()), "/v2/web/queryBusinessRisk", "/v2/web/queryBusinessRisk"),
        ] {
            assert_eq!(endpoints.request(&check).unwrap().uri().path(), app);
            let request = endpoints.request(&check.with_channel(Channel::Web)).unwrap();
            assert_eq!(request.uri().path(), web);
            assert_eq!(request.uri().host(), Some("api.verification.jpush.cn"));
            assert_eq!(request.headers()["host"], "api.verification.jpush.cn");
            assert_eq!(request.method(), Method::POST);
            assert!(request.headers()["authorization"].is_sensitive());
        }
    }
}
