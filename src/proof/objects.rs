//! The objects on the way to the fields of a body, and where their guarded members lead.

use super::value::Unreadable;

/// An object on the way: what its members lead to.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) members: Vec<(usize, Member)>,
}

/// Where a guarded member leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    /// To a field's value, stored in this slot.
    Value(usize),
    /// To this object of the plan.
    Object(usize),
}

// === impl Object ===

impl Object {
    /// Where the member with this name leads, if it is on the way to a field.
    pub(super) fn member(&self, name: usize) -> Option<Member> {
        self.members.iter().find(|(id, _)| *id == name).map(|(_, member)| *member)
    }

    /// The slot for the value of a name in a form. This object is the root.
    ///
    /// # Errors
    ///
    /// As [`once`]; or the name is read from the query. (Frameworks that merge the two let the body win.)
    pub(super) fn slot_in_form(&self, name: usize, seen: &mut u64) -> Result<usize, Unreadable> {
        once(name, seen)?;
        match self.member(name) {
            Some(Member::Value(slot)) => Ok(slot),
            Some(Member::Object(_)) | None => Err(BELONGS_INTO_THE_QUERY),
        }
    }
}

/// The body contains a name that is read from the query.
pub(super) const BELONGS_INTO_THE_QUERY: Unreadable =
    Unreadable::ProofMalformed("a name in the body that the rule reads from the query");

/// Marks a guarded name as seen in a form or an object.
///
/// # Errors
///
/// The name was already seen there.
#[inline]
pub(super) fn once(name: usize, seen: &mut u64) -> Result<(), Unreadable> {
    let bit = 1 << name;
    if *seen & bit != 0 {
        return Err(Unreadable::ProofMalformed("a guarded name twice"));
    }
    *seen |= bit;
    Ok(())
}
