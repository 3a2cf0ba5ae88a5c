//! The page for a person in a browser: a template without scripts, whose slots are filled in with escaped texts.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, LazyLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::{
    answers::{Answer, NextStep},
    locale::Locale,
    reason::DenialReason,
};
use crate::error::ConfigError;

/// The largest page, with its slots filled in.
const LIMIT: usize = 6 * 1024;

const SETTING: &str = "denial_page";

static BUILT_IN: LazyLock<Arc<Page>> =
    LazyLock::new(|| Arc::new(Page::parse(include_str!("page.html")).expect("a test parses the built-in template")));

/// A validated template.
pub(super) struct Page {
    parts: Box<[Part]>,
    /// Allows the styles of the template, and nothing else.
    pub(super) policy: HeaderValue,
}

enum Part {
    Text(Box<str>),
    Slot(Slot),
}

/// A place in the template.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Lang,
    Title,
    Code,
    Next,
    RetryAfter,
}

/// What one page shows.
pub(super) struct Shown {
    pub(super) answer: Answer,
    pub(super) locale: Locale,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
}

// === impl Page ===

impl Page {
    pub(super) fn built_in() -> &'static Arc<Self> {
        &BUILT_IN
    }

    /// # Errors
    ///
    /// Names `denial_page`, and what the template lacks or must not have.
    pub(super) fn parse(template: &str) -> Result<Self, ConfigError> {
        let invalid = |problem: &'static str| ConfigError::unshown(SETTING, problem);
        // A browser reads every line break as a line feed before it compares the hash of a style.
        let template = template.replace("\r\n", "\n").replace('\r', "\n");
        let folded = template.to_ascii_lowercase();
        if !folded.starts_with("<!doctype html>") {
            return Err(invalid("the template must begin with `<!doctype html>`"));
        }
        if folded.contains("<script") {
            return Err(invalid("the page has no script: its Content-Security-Policy would block it"));
        }
        if folded.matches("<h1").count() != 1 {
            return Err(invalid("the template must have one `<h1>`"));
        }
        for (required, problem) in [
            (r#"lang="{lang}""#, r#"the template must have `lang="{lang}"`, because titles are in two languages"#),
            (r#"role="alert""#, r#"the template must have an element with `role="alert"`"#),
            ("{title}", "the template must have the slot `{title}`"),
        ] {
            if !folded.contains(required) {
                return Err(invalid(problem));
            }
        }

        let (mut parts, mut hashes) = (Vec::new(), String::new());
        let mut rest = &*template;
        while let Some(tag) = find(rest, "<style") {
            let open = rest.get(tag..).and_then(|tag| tag.find('>')).map(|end| tag + end + 1);
            let open = open.ok_or_else(|| invalid("a `<style>` is not closed"))?;
            let (before, style) = rest.split_at(open);
            let close = find(style, "</style").ok_or_else(|| invalid("a `<style>` is not closed"))?;
            let (style, after) = style.split_at(close);
            split(before, &mut parts)?;
            let _ = write!(hashes, " 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(style)));
            parts.push(Part::Text(style.into()));
            rest = after;
        }
        split(rest, &mut parts)?;

        let styles = if hashes.is_empty() { hashes } else { format!("; style-src{hashes}") };
        let policy = HeaderValue::try_from(format!("default-src 'none'{styles}"));
        let policy = policy.map_err(|_| invalid("the template has too many styles"))?;
        let page = Self { parts: parts.into(), policy };
        let largest = page.largest();
        if largest > LIMIT {
            let problem = format!("the page may have at most {LIMIT} bytes, and the largest would have {largest}");
            return Err(ConfigError::unshown(SETTING, problem));
        }
        Ok(page)
    }

    /// The page, with its slots filled in.
    pub(super) fn render(&self, shown: &Shown) -> String {
        let mut page = String::with_capacity(LIMIT / 2);
        for part in &self.parts {
            match part {
                Part::Text(text) => page.push_str(text),
                Part::Slot(slot) => escape(&shown.text(*slot), &mut page),
            }
        }
        page
    }

    /// The bytes of the largest page.
    fn largest(&self) -> usize {
        let answers = DenialReason::all().map(DenialReason::answer).chain([Answer::RISK_TOO_HIGH]);
        let shown =
            answers.flat_map(|answer| Locale::ALL.map(|locale| Shown { answer, locale, retry_after: Some(u32::MAX) }));
        shown.map(|shown| self.render(&shown).len()).max().unwrap_or_default()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The position of a tag, in any case.
fn find(text: &str, tag: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(tag)
}

/// Splits a text outside of styles at its slots. Braces around anything but a name are a part of the text.
fn split(text: &str, parts: &mut Vec<Part>) -> Result<(), ConfigError> {
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|text| text.find('{')).map(|at| from + at) {
        let (before, brace) = rest.split_at(at);
        let name = brace.trim_start_matches('{').split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name {
            Some(name) if brace.starts_with(&format!("{{{name}}}")) => {
                let slot = Slot::parse(name).ok_or_else(|| {
                    let problem = "the slots of the template are {lang}, {title}, {code}, {next} and {retry_after}";
                    ConfigError::new(SETTING, format!("{{{name}}}"), problem)
                })?;
                parts.extend([Part::Text(before.into()), Part::Slot(slot)]);
                rest = brace.get(name.len() + 2..).unwrap_or_default();
                from = 0;
            }
            _ => from = at + 1,
        }
    }
    parts.push(Part::Text(rest.into()));
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Writes a text so that it is nothing but text in HTML, also in a quoted attribute.
pub(super) fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

// === impl Slot ===

impl Slot {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "lang" => Self::Lang,
            "title" => Self::Title,
            "code" => Self::Code,
            "next" => Self::Next,
            "retry_after" => Self::RetryAfter,
            _ => return None,
        })
    }
}

// === impl Shown ===

impl Shown {
    fn text(&self, slot: Slot) -> String {
        let Self { answer, locale, retry_after } = self;
        match slot {
            Slot::Lang => locale.tag().to_owned(),
            Slot::Title => answer.title(*locale).to_owned(),
            Slot::Code => answer.code.to_owned(),
            Slot::Next => self.next(),
            Slot::RetryAfter => match (retry_after, locale) {
                (None, _) => String::new(),
                (Some(1), Locale::English) => "You can try again after 1 second.".to_owned(),
                (Some(seconds), Locale::English) => format!("You can try again after {seconds} seconds."),
                (Some(seconds), Locale::Chinese) => format!("{seconds} 秒后可以重试。"),
            },
        }
    }

    /// What the person can do, in one sentence for each step.
    fn next(&self) -> String {
        let sentences: Vec<&str> = match self.answer.next {
            [] => vec![self.sentence(None)],
            steps => steps.iter().map(|step| self.sentence(Some(*step))).collect(),
        };
        sentences.join(if self.locale == Locale::English { " " } else { "" })
    }

    fn sentence(&self, step: Option<NextStep>) -> &'static str {
        match (step, self.locale) {
            (None, Locale::English) => "Go back, check what you entered, and try again.",
            (None, Locale::Chinese) => "请返回检查后重试。",
            (Some(NextStep::Captcha), Locale::English) => "Go back and solve the captcha.",
            (Some(NextStep::Captcha), Locale::Chinese) => "请返回并完成行为验证。",
            (Some(NextStep::NewToken), Locale::English) => "Go back and start the verification again.",
            (Some(NextStep::NewToken), Locale::Chinese) => "请返回并重新获取验证。",
            (Some(NextStep::Wait), Locale::English) => "Wait before you try again.",
            (Some(NextStep::Wait), Locale::Chinese) => "请稍候再试。",
            (Some(NextStep::OtherMethod), Locale::English) => "Go back and choose another way to sign in.",
            (Some(NextStep::OtherMethod), Locale::Chinese) => "请返回并选择其他登录方式。",
        }
    }
}
