//! The way to the fields of a body: objects, and where their guarded members lead.

use super::value::Unreadable;

/// An object on the way, by what its members lead to.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) members: Vec<(usize, Member)>,
}

/// Where a guarded member leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    /// To a field's value, kept in this slot.
    Value(usize),
    /// To this object of the plan.
    Object(usize),
}

// === impl Object ===

impl Object {
    /// Where the member of this name leads, if it is on the way to a field.
    pub(super) fn member(&self, name: usize) -> Option<Member> {
        self.members.iter().find(|(id, _)| *id == name).map(|(_, member)| *member)
    }

    /// Where the value of a name goes that has come in a form, whose root this is.
    ///
    /// # Errors
    ///
    /// As [`once`]; the name is guarded because it is read from the query. (Frameworks that merge the two let the body win.)
    pub(super) fn slot_in_form(&self, name: usize, seen: &mut u64) -> Result<usize, Unreadable> {
        once(name, seen)?;
        match self.member(name) {
            Some(Member::Value(slot)) => Ok(slot),
            Some(Member::Object(_)) | None => Err(BELONGS_INTO_THE_QUERY),
        }
    }
}

/// A name of the query's stands in the body.
pub(super) const BELONGS_INTO_THE_QUERY: Unreadable =
    Unreadable::ProofMalformed("a name in the body that belongs into the query");

/// Marks a guarded name as seen in a form or an object.
///
/// # Errors
///
/// It has been seen there before.
#[inline]
pub(super) fn once(name: usize, seen: &mut u64) -> Result<(), Unreadable> {
    let bit = 1 << name;
    if *seen & bit != 0 {
        return Err(Unreadable::ProofMalformed("a guarded name twice"));
    }
    *seen |= bit;
    Ok(())
}
