//! The table of the vendor's codes and their classes.
//!
//! One table covers all endpoints, because the vendor has one list; only a *pass* belongs to an endpoint. Sources: the
//! vendor's list of return codes (号码认证, 行为验证) and the two reference documents. The vendor's client SDKs use 1000–2018 and
//! 6000–6002 with other meanings; this API never returns those.

use crate::{check_kind::CheckKind, verdict::Class};

/// Every known code that is not a pass. All other codes are [`Class::Unknown`].
#[rustfmt::skip]
pub(super) const TABLE: &[(Class, &[i64])] = &[
    // A definite no: mismatch or failed.
    (Class::Rejected, &[9001, 8001, 7102, 7103, 7105, 7111, 7112]),
    // A forged proof, or one that was made for another app. Only a sustained share of these codes shows a wrong set-up.
    (Class::Rejected, OTHER_APP),
    // Spent or expired.
    (Class::Stale, &[9003, 9021, 7104, 7110]),
    // The vendor has no result.
    (Class::Inconclusive, &[9002, 7101]),
    // The same number within 30 s; the same number ten times a day.
    (Class::Throttled, &[9005, 9006]),
    // The app's limits (number, captcha); queries per second.
    (Class::Quota, &[9007, 6005, 1804]),
    // The balance is too low; the service is blocked, not enabled, or expired.
    (Class::Account, &[9018, 1805, 9014, 9031, 1803]),
    // Credentials or the app's set-up. 9011 and 1802 are "auth failed".
    (Class::Misconfigured, &[9004, 9010, 9011, 1802, 9022, 6003, 6004]),
    // The method or the media type. A client cannot cause this: something between this process and JPush rewrites requests.
    (Class::Misconfigured, &[9013, 9015]),
    // The request was malformed.
    (Class::Invalid, &[9012, 1801]),
    // An error of the vendor's server.
    (Class::Unavailable, &[9099, 2000]),
];

/// The codes of a proof that is forged, or was made for another app.
const OTHER_APP: &[i64] = &[9020, 7106, 7107, 7108, 7109];

/// Whether a code says that the proof is forged, or was made for another app.
pub(super) fn is_of_other_app(code: i64) -> bool {
    OTHER_APP.contains(&code)
}

/// The one code that passes on the endpoint of a kind. For a captcha it is not enough: `result` decides.
pub(super) const fn pass_code(kind: CheckKind) -> i64 {
    match kind {
        CheckKind::Number => 9000,
        CheckKind::Captcha => 6000,
        CheckKind::OneTap => 8000,
        CheckKind::Risk => 0,
    }
}

/// The class of a code that came from the endpoint of a kind. A pass of another endpoint is [`Class::Unknown`].
pub(super) fn class_of(kind: CheckKind, code: i64) -> Class {
    if code == pass_code(kind) {
        return Class::Passed;
    }
    TABLE.iter().find(|(_, codes)| codes.contains(&code)).map_or(Class::Unknown, |&(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [CheckKind; 4] = [CheckKind::Number, CheckKind::Captcha, CheckKind::OneTap, CheckKind::Risk];

    /// The vendor's list once more, written down by class, independently of the table's rows.
    const LISTED: &[(i64, Class)] = &[
        (9001, Class::Rejected),
        (8001, Class::Rejected),
        (7102, Class::Rejected),
        (7103, Class::Rejected),
        (7105, Class::Rejected),
        (7106, Class::Rejected),
        (7107, Class::Rejected),
        (7108, Class::Rejected),
        (7109, Class::Rejected),
        (7111, Class::Rejected),
        (7112, Class::Rejected),
        (9020, Class::Rejected),
        (9003, Class::Stale),
        (9021, Class::Stale),
        (7104, Class::Stale),
        (7110, Class::Stale),
        (9002, Class::Inconclusive),
        (7101, Class::Inconclusive),
        (9005, Class::Throttled),
        (9006, Class::Throttled),
        (9007, Class::Quota),
        (6005, Class::Quota),
        (1804, Class::Quota),
        (9018, Class::Account),
        (1805, Class::Account),
        (9014, Class::Account),
        (9031, Class::Account),
        (1803, Class::Account),
        (9004, Class::Misconfigured),
        (9010, Class::Misconfigured),
        (9011, Class::Misconfigured),
        (1802, Class::Misconfigured),
        (9022, Class::Misconfigured),
        (6003, Class::Misconfigured),
        (6004, Class::Misconfigured),
        (9012, Class::Invalid),
        (1801, Class::Invalid),
        (9013, Class::Misconfigured),
        (9015, Class::Misconfigured),
        (9099, Class::Unavailable),
        (2000, Class::Unavailable),
    ];

    #[test]
    fn every_listed_code_has_its_class_on_every_endpoint() {
        for kind in KINDS {
            for &(code, class) in LISTED {
                assert_eq!(class_of(kind, code), class, "{kind} {code}");
            }
        }
    }

    #[test]
    fn the_table_holds_exactly_the_listed_codes() {
        let rows: Vec<i64> = TABLE.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        assert_eq!(rows.len(), LISTED.len());
        assert!(LISTED.iter().all(|(code, _)| rows.contains(code)));
    }

    #[test]
    fn the_document_says_what_each_code_means_in_both_languages() {
        let mut documented = Vec::new();
        for row in include_str!("../../docs/codes.md").lines() {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [code, class, english, chinese] = cells[..] else { continue };
            let Ok(code) = code.parse::<i64>() else { continue };
            assert!(english.len() > 8 && !chinese.is_ascii(), "{row}");
            documented.push((code, class.trim_matches('`').to_owned()));
        }
        let passes = KINDS.map(|kind| (pass_code(kind), Class::Passed));
        let mut listed: Vec<(i64, String)> =
            LISTED.iter().copied().chain(passes).map(|(code, class)| (code, format!("{class:?}"))).collect();
        documented.sort();
        listed.sort();
        assert_eq!(documented, listed);
    }

    /// The codes of four digits in a cell, with those of a range such as `7106–7109`.
    fn codes_in(cell: &str) -> Vec<i64> {
        let is_code = |text: &&str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let mut codes: Vec<i64> = cell
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(is_code)
            .map(|code| code.parse().unwrap())
            .collect();
        for (before, after) in cell.match_indices('–').map(|(at, dash)| (&cell[..at], &cell[at + dash.len()..])) {
            let (first, last) = (before[before.len() - 4..].parse::<i64>().unwrap(), after[..4].parse().unwrap());
            codes.extend(first + 1..last);
        }
        codes
    }

    #[test]
    fn the_documents_list_the_codes_of_each_class() {
        for page in [include_str!("../../docs/codes.md"), include_str!("../../docs/codes.zh-CN.md")] {
            for class in Class::ALL {
                let head = format!("| `{class:?}` |");
                let row = page.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_else(|| panic!("{head}"));
                let mut documented = codes_in(row.split('|').next().unwrap());
                // A code that passes is in the row of another class only to say what else it may be.
                documented.retain(|code| KINDS.iter().all(|&kind| *code != pass_code(kind)));
                let mut listed: Vec<i64> =
                    LISTED.iter().filter(|(_, listed)| *listed == class).map(|(code, _)| *code).collect();
                documented.sort_unstable();
                listed.sort_unstable();
                assert_eq!(documented, listed, "{class}");
            }
        }
    }

    #[test]
    fn the_chinese_document_has_the_same_codes_classes_and_meanings() {
        let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
        let is_code = |code: &str| code.parse::<i64>().is_ok();
        let both = include_str!("../../docs/codes.md").lines().filter_map(|row| match cells(row)[..] {
            [code, class, _, chinese] if is_code(code) => Some([code, class, chinese]),
            _ => None,
        });
        let chinese = include_str!("../../docs/codes.zh-CN.md").lines().filter_map(|row| match cells(row)[..] {
            [code, class, chinese] if is_code(code) => Some([code, class, chinese]),
            _ => None,
        });
        assert_eq!(both.collect::<Vec<_>>(), chinese.collect::<Vec<_>>());
    }

    #[test]
    fn a_pass_counts_on_its_own_endpoint_only() {
        for kind in KINDS {
            for code in [9000, 6000, 8000, 0] {
                let expected = if code == pass_code(kind) { Class::Passed } else { Class::Unknown };
                assert_eq!(class_of(kind, code), expected, "{kind} {code}");
            }
        }
    }

    #[test]
    fn what_is_not_listed_is_unknown() {
        for kind in KINDS {
            for code in [-1, 1, 1800, 6001, 9008, 9098, i64::MAX, i64::MIN] {
                assert_eq!(class_of(kind, code), Class::Unknown, "{kind} {code}");
            }
        }
    }

    #[test]
    fn exactly_one_code_in_ten_thousand_passes_on_each_endpoint() {
        for kind in KINDS {
            let passes: Vec<i64> = (-10..10_000).filter(|&code| class_of(kind, code).is_pass()).collect();
            assert_eq!(passes, [pass_code(kind)]);
        }
    }
}
