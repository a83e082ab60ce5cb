//! Partial changes: a closure over the fields that a client named.

use skald_base::{Error, Result, UserError, UserErrorCode, graph::TextRule};

/// Changes to a `T`, field by field, in the order they were added.
pub struct Patch<T>(Vec<Change<T>>);

type Change<T> = Box<dyn FnOnce(&mut T) + Send>;

impl<T> Patch<T> {
    /// Adds a change if the client sent a value for it.
    #[must_use]
    pub fn set<V: Send + 'static>(
        mut self,
        value: Option<V>,
        field: impl FnOnce(&mut T, V) + Send + 'static,
    ) -> Self {
        if let Some(value) = value {
            self.0.push(Box::new(move |target| field(target, value)));
        }
        self
    }

    /// Makes all changes.
    pub fn apply(self, target: &mut T) {
        for change in self.0 {
            change(target);
        }
    }
}

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::fmt::Debug for Patch<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Patch({} changes)", self.0.len())
    }
}

/// Refuses a change to something that has another version by now.
pub fn check_version(expected: Option<i64>, actual: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != actual => {
            let message = format!("changed meanwhile: version {actual}, not {expected}");
            Err(Error::conflict(message).at("input.expectedVersion"))
        }
        Some(_) | None => Ok(()),
    }
}

/// At most 50 tags of at most 100 bytes.
pub fn check_tags(tags: &[String]) -> Result<()> {
    if tags.len() > 50 {
        let error = UserError::new(UserErrorCode::TooLong, "at most 50 tags");
        return Err(error.at("input.tags").into());
    }
    tags.iter().try_for_each(|tag| TextRule::required(100).check("input.tags", tag))
}
