//! The query: a source of fields, and a place where an attacker can add others.
//!
//! PHP's `$_REQUEST`, Rails' `params`, Spring's `@RequestParam` and many more merge the query into the body's
//! parameters. So `?phone=VICTIM` is refused when the body proves another phone.

use super::{
    fold::{Found, Keys},
    form,
    other_phones::ELSEWHERE_IN_QUERY,
    plan::Plan,
    value::{Unreadable, Value, Values},
};

/// Guards the query and reads its fields.
pub(super) fn read<'v>(plan: &Plan, query: &'v str, values: &mut Values<'v>) -> Result<(), Unreadable> {
    let guarded = plan.guarded_in_query();
    if guarded == 0 || plan.names().is_empty() {
        return Ok(());
    }
    let is_source = plan.query_names() != 0;
    if is_source && query.contains(';') {
        // Some parsers read it as a separator, others as part of a value.
        return Err(Unreadable::ProofMalformed("a semicolon in the query"));
    }
    if is_source && query.bytes().filter(|byte| *byte == b'&').count() >= form::MOST {
        return Err(Unreadable::ProofMalformed("more than 1000 pairs in the query"));
    }
    // `/login??phone=…`: `new URLSearchParams(query)` also removes the second one.
    let unmarked = query.trim_start_matches('?');
    if is_source && unmarked.len() < query.len() {
        return Err(Unreadable::ProofMalformed("a query that begins with a question mark"));
    }
    let query = unmarked;
    let (mut scratch, mut torn_scratch) = (Vec::new(), Vec::new());
    let mut seen = 0_u64;
    for pair in query.split(['&', ';']) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key =
            form::decode(key, &mut scratch).ok_or(Unreadable::ProofMalformed("a query that cannot be decoded"))?;
        let is_elsewhere = guarded == u64::MAX && plan.elsewhere() != 0;
        if is_elsewhere
            && form::torn_name(pair).is_some_and(|name| form::is_phone_elsewhere(plan, name, &mut torn_scratch))
        {
            return Err(ELSEWHERE_IN_QUERY);
        }
        let name = match plan.names().find(key, Keys::Form) {
            // With `ignore_query` the query may contain any name that is not read from it.
            Found::Nothing if is_elsewhere && plan.is_phone_elsewhere(key) => return Err(ELSEWHERE_IN_QUERY),
            Found::Nothing => continue,
            Found::Like(names) if names & guarded == 0 => continue,
            Found::Like(_) => return Err(Unreadable::ProofMalformed("a name like a guarded one in the query")),
            Found::Name(name) => name,
        };
        let bit = 1 << name;
        if guarded & bit == 0 {
            continue;
        }
        let Some(slot) = plan.query_slot(name) else {
            return Err(Unreadable::ProofMalformed("a guarded name in the query"));
        };
        if seen & bit != 0 {
            return Err(Unreadable::ProofMalformed("a guarded name twice in the query"));
        }
        seen |= bit;
        if form::is_torn(value) {
            return Err(Unreadable::ProofMalformed("a bracket before an equals sign in a value"));
        }
        let value = form::decode_whole(value).ok_or(Unreadable::ProofMalformed("a query that cannot be decoded"))?;
        values.put(slot, Value::text(value)?)?;
    }
    Ok(())
}
