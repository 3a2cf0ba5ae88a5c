//! Decides the answer to a check, and to a malformed request.

use super::{
    endpoints::Endpoint,
    fault::Fault,
    magic::{CaptchaArgsMeaning, CaptchaMeaning, Magic, NumberMeaning},
    one_tap::encrypt,
    reference,
    replies::{CaptchaArgs, Reply, RiskMeaning, Tagged},
    requests::Asked,
    state::State,
};
use crate::{check::Channel, check_kind::CheckKind, phone::Phone};

/// An endpoint's answer, and the fault to apply to it.
pub(super) struct Answer {
    pub(super) code: i64,
    pub(super) json: Vec<u8>,
    pub(super) fault: Option<Fault>,
}

/// `None`, here and below: a mandatory field is missing.
fn number(state: &State, channel: Channel, asked: &Asked<'_>) -> Option<Answer> {
    let token = filled(&asked.token)?;
    let phone = Phone::parse(&asked.phone.as_ref()?.text())?;
    let ex_id = asked.ex_id();
    if token == reference::TOKEN {
        let code = if phone.as_str() == reference::PHONE { 9000 } else { 9001 };
        let reply = Reply::decided(reference::NUMBER_ID, code, &ex_id);
        return Some(Answer::from(&reply.with_risk(RiskMeaning::NONE)));
    }

    let reply = |code| Reply::decided(state.ledger.next_id(), code, &ex_id);
    let magic = Magic::read(token).and_then(|magic| Some((NumberMeaning::read(magic.meaning)?, magic)));
    let Some((says, magic)) = magic else { return Some(Answer::from(&reply(9001))) };
    let code = if magic.channel.is_some_and(|only| only != channel) {
        9020
    } else if magic.once && !state.ledger.spend(CheckKind::Number, token) {
        9003
    } else if says.phone.is_some_and(|only| only != phone) {
        9001
    } else {
        says.code
    };
    let risk = match says.risk {
        Some(risk) if code == says.code => risk,
        _ if code == 9000 => RiskMeaning::NONE,
        _ => RiskMeaning::Absent,
    };
    Some(Answer::from(&reply(code).with_risk(risk)).spoilt(magic.fault))
}

fn captcha(state: &State, asked: &Asked<'_>) -> Option<Answer> {
    let content = filled(&asked.captcha_content)?;
    // Empty even if one was sent, as in the vendor's example.
    let reply = |id, code| Reply::decided(id, code, "");
    if content == reference::CAPTCHA {
        let reply = reply(reference::CAPTCHA_ID, 6000);
        return Some(Answer::from(&reply.with_captcha("success", reference::captcha_args())));
    }

    let id = state.ledger.next_id();
    let magic = Magic::read(content).and_then(|magic| Some((CaptchaMeaning::read(magic.meaning)?, magic)));
    let args = |CaptchaArgsMeaning { scene, used_type, user_ip }| CaptchaArgs {
        used_type,
        user_ip,
        lot_number: format!("{id:032x}"),
        scene,
    };
    let Some((says, magic)) = magic else {
        return Some(Answer::from(&reply(id, 6000).with_captcha("fail", args(CaptchaArgsMeaning::USUAL))));
    };
    if magic.once && !state.ledger.spend(CheckKind::Captcha, content) {
        return Some(Answer::from(&reply(id, 7104)).spoilt(magic.fault));
    }
    let reply = match says.result {
        Some(result) => reply(id, says.code).with_captcha(result, says.args.map(args)),
        None => reply(id, says.code),
    };
    Some(Answer::from(&reply).spoilt(magic.fault))
}

fn one_tap(state: &State, channel: Channel, asked: &Asked<'_>) -> Option<Answer> {
    let login_token = filled(&asked.login_token)?;
    let ex_id = asked.ex_id();
    let reply = |code| Reply::decided(state.ledger.next_id(), code, &ex_id);
    let magic = Magic::read(login_token).and_then(|magic| Some((NumberMeaning::read_one_tap(magic.meaning)?, magic)));
    let Some((says, magic)) = magic else { return Some(Answer::from(&reply(8001))) };
    if magic.channel.is_some_and(|only| only != channel) {
        return Some(Answer::from(&reply(9020)).spoilt(magic.fault));
    }
    if magic.once && !state.ledger.spend(CheckKind::OneTap, login_token) {
        return Some(Answer::from(&reply(9003)).spoilt(magic.fault));
    }
    let mut reply = match says.phone.map(encrypt) {
        None => reply(says.code),
        Some(Some(phone)) => Reply { phone: Some(phone), ..reply(says.code) },
        Some(None) => reply(9004),
    };
    if let Some(risk) = says.risk {
        reply = reply.with_risk(risk);
    }
    Some(Answer::from(&reply).spoilt(magic.fault))
}

fn risk(state: &State, asked: &Asked<'_>) -> Option<Answer> {
    let phone = Phone::parse(&asked.phone.as_ref()?.text())?;
    let score: i64 = phone.as_str().get(8..)?.parse().ok()?;
    let ex_id = asked.ex_id();
    let reply = |code| Reply::decided(state.ledger.next_id(), code, &ex_id);
    if score == 999 {
        return Some(Answer::from(&reply(9099)));
    }
    let tags = if score >= 300 { vec!["F24004"] } else { Vec::new() };
    Some(Answer::from(&Reply { score: Some(score), tagged: Some(Tagged::new(score, tags)), ..reply(0) }))
}

fn filled(field: &str) -> Option<&str> {
    (!field.is_empty()).then_some(field)
}

// === impl Endpoint ===

impl Endpoint {
    /// Missing or wrong credentials.
    pub(super) fn auth_failed(self) -> Answer {
        self.error(9011, 1802)
    }

    /// A malformed request.
    pub(super) fn malformed(self) -> Answer {
        self.error(9012, 1801)
    }

    fn error(self, code: i64, captcha_code: i64) -> Answer {
        Answer::from(&Reply::bare(if self == Self::Captcha { captcha_code } else { code }))
    }

    /// Decides a check.
    pub(super) fn answer(self, state: &State, asked: &Asked<'_>) -> Answer {
        let answer = match self {
            Self::Number(channel) => number(state, channel, asked),
            Self::Captcha => captcha(state, asked),
            Self::OneTap(channel) => one_tap(state, channel, asked),
            Self::Risk => risk(state, asked),
        };
        answer.unwrap_or_else(|| self.error(9013, 1801))
    }
}

// === impl Answer ===

impl Answer {
    fn spoilt(mut self, fault: Option<Fault>) -> Self {
        self.fault = fault;
        self
    }
}

impl From<&Reply<'_>> for Answer {
    fn from(reply: &Reply<'_>) -> Self {
        let json = serde_json::to_vec(reply).expect("strings, integers and string keys are JSON");
        Self { code: reply.code, json, fault: None }
    }
}
