//! What is wrong with a configuration, all of it: who mends it should not have to start ten times.

use std::fmt::Display;

/// Variables that are missing or not understood, each with what is wrong with it; never a value.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Misconfigured(Vec<String>);

impl Misconfigured {
    /// One fault.
    pub fn new(fault: impl Display) -> Self {
        Self(vec![fault.to_string()])
    }
}

/// Gathers faults, so that one does not hide the next.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// What was understood; else the fault is kept.
    pub fn note<T, E: Display>(&mut self, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|fault| self.add(fault)).ok()
    }

    /// Keeps a fault, once.
    pub fn add(&mut self, fault: impl Display) {
        let fault = fault.to_string();
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as one error, if there is one.
    ///
    /// # Errors
    /// When anything was kept.
    pub fn end(self) -> Result<(), Misconfigured> {
        if self.0.is_empty() { Ok(()) } else { Err(Misconfigured(self.0)) }
    }
}
