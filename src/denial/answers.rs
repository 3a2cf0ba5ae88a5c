//! The table of answers, with one arm per reason. A test compares the tables in the documentation with it.

use std::fmt;

use http::StatusCode;

use super::{locale::Locale, reason::DenialReason};
use crate::verdict::Class;

/// The answer to a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    /// Codes of the gRPC core: 3 `INVALID_ARGUMENT`, 4 `DEADLINE_EXCEEDED`, 7 `PERMISSION_DENIED`, 8 `RESOURCE_EXHAUSTED`,
    /// 12 `UNIMPLEMENTED`, 14 `UNAVAILABLE`.
    pub(super) grpc_code: u8,
    pub(super) next: &'static [NextStep],
    pub(super) english: &'static str,
    pub(super) chinese: &'static str,
}

/// What a client may do after a refusal.
///
/// ```
/// use tower_jverify::{Denial, DenialReason, NextStep};
///
/// assert_eq!(Denial::for_test(DenialReason::CaptchaRequired).next(), [NextStep::Captcha]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NextStep {
    /// Solve the captcha, and repeat the request with its answer.
    Captcha,
    /// Get a new token from the SDK.
    NewToken,
    /// Wait for the time in `Retry-After`.
    Wait,
    /// Sign in by another method.
    OtherMethod,
}

// === impl DenialReason ===

impl DenialReason {
    /// The answer. `code` and titles do not reveal why a verification failed.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each answer")]
    pub(super) const fn answer(self) -> Answer {
        match self {
            Self::Verdict(Class::Rejected | Class::Inconclusive)
            | Self::Mismatch
            | Self::CaptchaUnbound
            | Self::RiskTooHigh => Answer {
                status: StatusCode::FORBIDDEN,
                code: "verification_failed",
                grpc_code: 7,
                next: &[NextStep::OtherMethod],
                english: "Verification failed. Please use another way to sign in.",
                chinese: "验证未通过,请使用其他方式。",
            },
            Self::CaptchaRequired => Answer {
                status: StatusCode::FORBIDDEN,
                code: "captcha_required",
                grpc_code: 7,
                next: &[NextStep::Captcha],
                english: "Please solve the captcha and try again.",
                chinese: "请完成行为验证后重试。",
            },
            Self::Verdict(Class::Stale) | Self::Replayed | Self::PassInvalid | Self::PassExpired | Self::PassUsed => {
                Answer {
                    status: StatusCode::FORBIDDEN,
                    code: "proof_expired",
                    grpc_code: 7,
                    next: &[NextStep::NewToken],
                    english: "The verification has expired. Please start again.",
                    chinese: "验证已失效,请重新获取。",
                }
            }
            Self::PreflightRefused => Answer {
                status: StatusCode::FORBIDDEN,
                code: "preflight_refused",
                grpc_code: 7,
                next: &[],
                english: "CORS preflight requests are not answered here.",
                chinese: "此处不处理 CORS 预检请求。",
            },
            Self::ProofMissing => Answer {
                status: StatusCode::BAD_REQUEST,
                code: "proof_missing",
                grpc_code: 3,
                next: &[],
                english: "The request carries no proof, or only half of one.",
                chinese: "请求缺少验证信息。",
            },
            Self::Verdict(Class::Invalid) | Self::ProofMalformed => Answer {
                status: StatusCode::BAD_REQUEST,
                code: "proof_malformed",
                grpc_code: 3,
                next: &[],
                english: "The proof in the request is malformed.",
                chinese: "验证信息格式不正确。",
            },
            Self::BodyMalformed => Answer {
                status: StatusCode::BAD_REQUEST,
                code: "body_malformed",
                grpc_code: 3,
                next: &[],
                english: "The request body cannot be read.",
                chinese: "请求内容无法解析。",
            },
            Self::PathAmbiguous => Answer {
                status: StatusCode::BAD_REQUEST,
                code: "path_ambiguous",
                grpc_code: 3,
                next: &[],
                english: "The path can be read in several ways.",
                chinese: "请求路径存在歧义。",
            },
            Self::Upgrade => Answer {
                status: StatusCode::BAD_REQUEST,
                code: "upgrade_refused",
                grpc_code: 3,
                next: &[],
                english: "This request cannot change its protocol here.",
                chinese: "此处不支持协议升级。",
            },
            Self::MethodNotAllowed => Answer {
                status: StatusCode::METHOD_NOT_ALLOWED,
                code: "method_not_allowed",
                grpc_code: 12,
                next: &[],
                english: "This method is not accepted here.",
                chinese: "不支持该请求方法。",
            },
            Self::BodyTimeout => Answer {
                status: StatusCode::REQUEST_TIMEOUT,
                code: "body_timeout",
                grpc_code: 4,
                next: &[],
                english: "The request body did not arrive in time.",
                chinese: "请求内容未能按时到达。",
            },
            Self::BodyTooLarge => Answer {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                code: "body_too_large",
                grpc_code: 3,
                next: &[],
                english: "The request body is too large.",
                chinese: "请求内容过大。",
            },
            Self::UnsupportedMediaType => Answer {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "unsupported_media_type",
                grpc_code: 3,
                next: &[],
                english: "This media type is not accepted here.",
                chinese: "不支持该内容类型。",
            },
            Self::UnsupportedEncoding => Answer {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code: "unsupported_encoding",
                grpc_code: 3,
                next: &[],
                english: "This content encoding is not accepted here.",
                chinese: "不支持该内容编码。",
            },
            Self::Verdict(Class::Throttled) | Self::RateLimited => Answer {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "throttled",
                grpc_code: 8,
                next: &[NextStep::Wait, NextStep::OtherMethod],
                english: "Too many attempts. Please wait.",
                chinese: "操作过于频繁,请稍后再试。",
            },
            // Never `Passed`.
            Self::Verdict(
                Class::Passed
                | Class::Quota
                | Class::Account
                | Class::Misconfigured
                | Class::Unavailable
                | Class::Unreadable
                | Class::Unknown,
            )
            | Self::BreakerOpen
            | Self::StoreDown
            | Self::AccountLimited
            | Self::Budget
            | Self::Overloaded
            | Self::Panicked => Answer::UNAVAILABLE,
            Self::DeadlineExceeded => Answer { grpc_code: 4, ..Answer::UNAVAILABLE },
        }
    }
}

// === impl Answer ===

impl Answer {
    const UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "verification_unavailable",
        grpc_code: 14,
        next: &[NextStep::OtherMethod],
        english: "Verification is unavailable. Please use another way to sign in.",
        chinese: "验证服务暂不可用,请使用其他方式。",
    };

    /// The answer for [`DenialReason::RiskTooHigh`] if the policy reveals the risk.
    pub(super) const RISK_TOO_HIGH: Self = Self {
        code: "risk_too_high",
        english: "This number cannot be used here.",
        chinese: "该号码存在风险,无法使用。",
        ..DenialReason::RiskTooHigh.answer()
    };

    /// One sentence for a person.
    pub(super) const fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::English => self.english,
            Locale::Chinese => self.chinese,
        }
    }
}

// === impl NextStep ===

impl NextStep {
    /// The word in answers: `captcha`, `new_token`, `wait`, `other_method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Captcha => "captcha",
            Self::NewToken => "new_token",
            Self::Wait => "wait",
            Self::OtherMethod => "other_method",
        }
    }
}

impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
