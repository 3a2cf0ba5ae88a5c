//! The captcha that a rule can require.

use crate::{
    judge::{Bindings, Prefix},
    proof::Field,
};

/// A captcha check (行为验证): verifies that a person solved a captcha.
///
/// ```
/// use tower_jverify::{Field, Rule, captcha};
///
/// let rule = Rule::post("/register", captcha().content(Field::header("x-captcha")).scene("注册"));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct Captcha {
    pub(super) content: Field,
    pub(super) bindings: Bindings,
}

/// Requires a solved captcha, from the body's `/captchaContent`.
///
/// **Danger:** a captcha alone does not name a phone. In front of a backend that reads the query, a rule for one method
/// that requires only a captcha, or takes one instead of another proof, cannot distinguish `GET /register`, the page, from a
/// registration in the query: use [`Rule::any_method`](crate::Rule::any_method) there.
pub fn captcha() -> Captcha {
    Captcha { content: Field::body("/captchaContent"), bindings: Bindings::default() }
}

// === impl Captcha ===

impl Captcha {
    /// Sets the field of the captcha's answer. Default: the body's `/captchaContent`.
    pub fn content(mut self, field: Field) -> Self {
        self.content = field;
        self
    }

    /// Sets the scene for which the captcha must have been solved, such as `注册` or `登录`. An answer for another scene, or
    /// without a scene, does not pass. Default: any. (Source: `captchaArgs.scene` of the captcha document.)
    pub fn scene(mut self, scene: impl Into<Box<str>>) -> Self {
        self.bindings.scene = Some(scene.into());
        self
    }

    /// Sets the types of captcha that count, such as `slide`: an answer of another type, or without a type, gets 403
    /// `verification_failed` with the reason [`CaptchaUnbound`](crate::DenialReason::CaptchaUnbound). Default: any.
    /// (Source: `captchaArgs.used_type` of the captcha document. The document does not list the types.)
    ///
    /// ```
    /// use tower_jverify::captcha;
    ///
    /// let ask = captcha().used_types(["slide"]);
    /// # let _ = ask;
    /// ```
    pub fn used_types(mut self, types: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.bindings.used_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Requires that the captcha was solved from the network of the client that sends the request
    /// ([`client_ip`](crate::Rule::client_ip)): as many leading bits of its address as the prefix says must equal those of `captchaArgs.user_ip`. An
    /// answer that has no address, or one that is not an address, and a request whose address is not found, get 403
    /// `verification_failed` with the reason [`CaptchaUnbound`](crate::DenialReason::CaptchaUnbound). An IPv4 address is
    /// compared as such, also where it is written as IPv6 (mapped, behind NAT64's well-known prefix, or in 6to4).
    ///
    /// Off by default: the vendor may see another address than this server. A client with both address families uses IPv6 for
    /// one and IPv4 for the other, and a mobile client changes its address. Look at your own users before you set it.
    ///
    /// `build()` returns an error without `client_ip`, and for a prefix of no bits or too many.
    pub fn bind_client_ip(mut self, prefix: Prefix) -> Self {
        self.bindings.client_ip = Some(prefix);
        self
    }
}
