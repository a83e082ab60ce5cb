//! What a client asked for and what it was told, on the disk before it does anything else.

use std::{fs::File, io::Write, path::Path};

use anyhow::Result;
use serde_json::{Value, json};

use super::player::Outcome;

/// Something a client did.
#[derive(Clone, Debug)]
pub(super) struct Act {
    /// The name of the mutation.
    pub(super) what: &'static str,
    pub(super) input: Value,
    pub(super) outcome: Outcome,
}

/// All that one client did, in order.
pub(super) struct Journal {
    file: File,
    pub(super) acts: Vec<Act>,
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file, acts: Vec::new() })
    }

    /// Notes what is about to be asked for.
    pub(super) fn intend(&mut self, what: &'static str, input: Value) -> Result<()> {
        self.write(&json!({ "asks": what, "input": input }))?;
        self.acts.push(Act { what, input, outcome: Outcome::Unknown });
        Ok(())
    }

    /// Notes what became of the last intention.
    pub(super) fn learn(&mut self, outcome: Outcome) -> Result<()> {
        self.write(&match &outcome {
            Outcome::Done(done) => json!({ "done": done }),
            Outcome::Refused(errors) => json!({ "refused": errors }),
            Outcome::Unknown => json!({ "unknown": true }),
        })?;
        if let Some(last) = self.acts.last_mut() {
            last.outcome = outcome;
        }
        Ok(())
    }

    fn write(&mut self, line: &Value) -> Result<()> {
        writeln!(self.file, "{line}")?;
        Ok(self.file.sync_data()?)
    }
}

impl Act {
    /// The answer, if it was done.
    pub(super) fn done(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Done(done) => Some(done),
            Outcome::Refused(_) | Outcome::Unknown => None,
        }
    }

    /// The id of what it made: its `message` or its `reply`.
    pub(super) fn made(&self, what: &str) -> Option<&str> {
        self.done()?.get(what)?.get("id")?.as_str()
    }

    /// A text of its input.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name)?.as_str()
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown)
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(_))
    }
}
