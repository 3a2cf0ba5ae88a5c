//! English or Chinese: what the client's `Accept-Language` prefers.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// The language of a denial's title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locale {
    #[default]
    English,
    Chinese,
}

// === impl Locale ===

impl Locale {
    /// The preferred of the two; English where neither is named, or the header cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0, Self::English);
        for range in ranges.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';');
            let primary = parts.next().unwrap_or_default().trim().split('-').next().unwrap_or_default();
            let locale = match primary {
                zh if zh.eq_ignore_ascii_case("zh") => Self::Chinese,
                en if en.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            if weight > best.0 {
                best = (weight, locale);
            }
        }
        best.1
    }

    pub(super) fn title(self, code: &str) -> &'static str {
        let (english, chinese) = match code {
            "verification_failed" => {
                ("Verification failed. Please use another way to sign in.", "验证未通过,请使用其他方式。")
            }
            "risk_too_high" => ("This number cannot be used here.", "该号码存在风险,无法使用。"),
            "captcha_required" => ("Please solve the captcha and try again.", "请完成行为验证后重试。"),
            "proof_expired" => ("The verification has expired. Please start again.", "验证已失效,请重新获取。"),
            "proof_missing" => ("The request carries no proof, or only half of one.", "请求缺少验证信息。"),
            "proof_malformed" => ("The proof in the request is malformed.", "验证信息格式不正确。"),
            "body_malformed" => ("The request body cannot be read.", "请求内容无法解析。"),
            "path_ambiguous" => ("The path can be read in several ways.", "请求路径存在歧义。"),
            "method_not_allowed" => ("This method is not accepted here.", "不支持该请求方法。"),
            "upgrade_refused" => ("This request cannot change its protocol here.", "此处不支持协议升级。"),
            "body_too_large" => ("The request body is too large.", "请求内容过大。"),
            "body_timeout" => ("The request body did not arrive in time.", "请求内容未能按时到达。"),
            "unsupported_media_type" => ("This media type is not accepted here.", "不支持该内容类型。"),
            "unsupported_encoding" => ("This content encoding is not accepted here.", "不支持该内容编码。"),
            "throttled" => ("Too many attempts for this number. Please wait.", "该号码操作过于频繁,请稍后再试。"),
            _ => {
                ("Verification is unavailable. Please use another way to sign in.", "验证服务暂不可用,请使用其他方式。")
            }
        };
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// A quality value in thousandths; 0 for what is none.
fn thousandths(q: &str) -> u32 {
    let (whole, part) = q.trim().split_once('.').unwrap_or((q.trim(), ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    let part = format!("{part:0<3}").parse::<u32>().unwrap_or(0);
    match whole {
        "1" => 1000,
        "0" => part,
        _ => 0,
    }
}
