//! The examples in the vendor's documents, which the sandbox answers as documented.

use super::replies::CaptchaArgs;

/// "Number authentication API" (2026-01-26): the token of the request.
pub(super) const TOKEN: &str = "STsid0000001542695429579Ob28vB7b0cYTI9w0GGZrv8ujUu05qZvw";

/// The phone of the same request, a bare number there.
pub(super) const PHONE: &str = "15813554612";

/// The id of the same document's reply.
pub(super) const NUMBER_ID: u64 = 117_270_465_679_982_592;

/// "actionCheck" (2022-07-05): the `captchaContent` of the request.
pub(super) const CAPTCHA: &str = "\
ZnzfTTCrPZuLk1J_kxXnGu6IKhjhGCIQp3_yTBs7G_5hhGJpJzMGGcVgSHq8CI6yFpAHQdhz1WbM3hICmkxG2a-DZXRIDdDic6Nbll-N0KnfYy\
ZGv-ZDuiOQSW2r1NMBuoyT82vrOgxoFgAxJdeeeYINXWwuRMFX2Ms9YDfPliRlNBx4qivro84z3146PvGVjuL8tjDKo5N3wTwBDwChaj2qakZN\
47tsX_QN5cdTPZC0rdP_ugv9TnMwH7OeOhX1w5woFuqru-2_odcfS22yEtC_4qh8Zse2ks7-QS7ISiTdeBUdOmIrGV9JRv439kHBLfLNvriP7l\
B3MRDsIcD3A17MI98VfzQp8cgUiBgfogV7qLZLQ4lSbpZwL1qlRmBV9xGwNeattCQ5Zg7NBA9YK01MpnLTHYb5HU9DyvLBn_st5loAaHztbtsC\
TBryrTZ6zYnf0SpxgXzHK-H4WipM4Q4CjcPbNhTWJ67smd44cwEvk-aN_OQmN2pw0P83Oy6q8WQrmbT01WFCjpu5ViPVf6PkMx0Ag8woajzGV_\
WGXZrLjRPbGBmS4XQpSwf6uuBwEjJhVWyu4gmvkTL3O1jqH0WYL6bDQq9tnwNsY2UtBRBwsi2SAP7lSuB3hrW9QvoSnKHzwOZKJlAArbrbRX_D\
TS6ITkmFAdHEy7FdH9JPZp9x_M9ETg0raXPEqQLFl4H9tC61DPi3IKQvNXHRn0P5NQ==";

/// The id of the same document's reply.
pub(super) const CAPTCHA_ID: u64 = 576_044_766_492_467_200;

/// The `captchaArgs` of the same reply.
pub(super) fn captcha_args() -> CaptchaArgs<'static> {
    CaptchaArgs {
        used_type: "slide",
        user_ip: "183.238.29.30",
        lot_number: "f80971ac19db489b8054e0c81f9aabfc".into(),
        scene: "注册",
    }
}
