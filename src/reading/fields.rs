//! The fields that a path group reads.

use crate::proof::{Field, Role};

/// The fields of a path group, each once, in the order of their values' indices.
#[derive(Default)]
pub(crate) struct Fields {
    all: Vec<Field>,
    /// Whether the user named the field, instead of the layer.
    required: Vec<bool>,
    roles: Vec<Role>,
}

// === impl Fields ===

impl Fields {
    pub(crate) fn index(&mut self, field: &Field) -> usize {
        let index = self.index_optional(field);
        if let Some(required) = self.required.get_mut(index) {
            *required = true;
        }
        index
    }

    /// As [`Fields::index`], for an optional field, which the user did not name.
    pub(crate) fn index_optional(&mut self, field: &Field) -> usize {
        self.all.iter().position(|known| known == field).unwrap_or_else(|| {
            self.all.push(field.clone());
            self.required.push(false);
            self.roles.push(Role::Other);
            self.all.len() - 1
        })
    }

    /// As [`Fields::index`], for a field whose name elsewhere in a request could identify another person.
    pub(crate) fn index_as(&mut self, field: &Field, role: Role) -> usize {
        let index = self.index(field);
        self.give(index, role);
        index
    }

    pub(crate) fn give(&mut self, index: usize, role: Role) {
        if let Some(known) = self.roles.get_mut(index) {
            *known = role.max(*known);
        }
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.all
    }

    pub(super) fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub(super) fn required(&self) -> &[bool] {
        &self.required
    }
}
