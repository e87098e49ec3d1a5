//! What a run did, as its caller and `import_run` are told.

use domain::directory::{Record, Rejection};
use runtime::Problem;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::file::Line;

/// How many rejections are told one by one.
const TOLD: usize = 1000;

/// The report. `lines` counts lines after the header that are not blank; `created`, `updated` and `unchanged` count
/// practitioners, each once; `ignored` and `rejected` count lines.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) run: Uuid,
    lines: u32,
    pub(crate) created: u32,
    pub(crate) updated: u32,
    pub(crate) unchanged: u32,
    ignored: u32,
    rejected: u32,
    warnings: u32,
    rejections: Vec<Rejected>,
    rejections_truncated: bool,
}

/// A line that was left out. Its number and a reason of ours: nothing of what it said.
#[derive(Debug, Serialize)]
struct Rejected {
    line: u64,
    reason: String,
}

impl Report {
    pub(crate) fn new(run: Uuid) -> Self {
        Self {
            run,
            lines: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            ignored: 0,
            rejected: 0,
            warnings: 0,
            rejections: Vec::new(),
            rejections_truncated: false,
        }
    }

    /// Counts a line and gives its record, if it has one.
    pub(crate) fn read(&mut self, number: u64, line: Line) -> Option<Record> {
        self.lines += 1;
        match line {
            Ok(Some(record)) => {
                self.warnings += u32::from(!record.rpps.has_sound_key());
                Some(record)
            }
            Ok(None) => {
                self.ignored += 1;
                None
            }
            Err(reason) => {
                self.reject(number, reason);
                None
            }
        }
    }

    fn reject(&mut self, line: u64, reason: Rejection) {
        self.rejected += 1;
        if self.rejections.len() < TOLD {
            self.rejections.push(Rejected { line, reason: reason.to_string() });
        } else {
            self.rejections_truncated = true;
        }
    }

    /// The numbers alone.
    pub(crate) fn counts(&self) -> Value {
        json!({
            "lines": self.lines, "created": self.created, "updated": self.updated, "unchanged": self.unchanged,
            "ignored": self.ignored, "rejected": self.rejected, "warnings": self.warnings,
        })
    }

    /// The whole report.
    pub(crate) fn document(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(Problem::internal)
    }
}
