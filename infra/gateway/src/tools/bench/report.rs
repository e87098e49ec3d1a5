//! What was found: a table for eyes, one line of JSON for machines.

use serde_json::{Value, json};

/// The rows, in the order they were measured.
#[derive(Default)]
pub(super) struct Report(Vec<Row>);

struct Row {
    measure: String,
    value: f64,
    unit: &'static str,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
enum Aim {
    Under(f64),
    AtLeast(f64),
}

impl Report {
    /// A figure without an aim.
    pub(super) fn figure(&mut self, measure: impl Into<String>, value: f64, unit: &'static str) {
        self.row(measure.into(), value, unit, None);
    }

    /// A figure that has to stay under `aim`.
    pub(super) fn under(&mut self, measure: impl Into<String>, value: f64, unit: &'static str, aim: f64) {
        self.row(measure.into(), value, unit, Some(Aim::Under(aim)));
    }

    /// A figure that has to reach `aim`.
    pub(super) fn at_least(&mut self, measure: impl Into<String>, value: f64, unit: &'static str, aim: f64) {
        self.row(measure.into(), value, unit, Some(Aim::AtLeast(aim)));
    }

    /// A count.
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    pub(super) fn note(&mut self, measure: impl Into<String>, count: i64) {
        self.figure(measure, count as f64, "");
    }

    fn row(&mut self, measure: String, value: f64, unit: &'static str, aim: Option<Aim>) {
        self.0.push(Row { measure, value, unit, aim });
    }

    /// The table, then the line.
    #[expect(clippy::print_stdout, reason = "its one purpose")]
    pub(super) fn print(&self) {
        let width = self.0.iter().map(|row| row.measure.chars().count()).max().unwrap_or_default();
        for row in &self.0 {
            let aim = row.aim.map(|aim| format!("{:<9}{}", aim.words(), if aim.met(row.value) { "yes" } else { "NO" }));
            let line =
                format!("{:width$}  {:>12} {:5} {}", row.measure, row.shown(), row.unit, aim.unwrap_or_default());
            println!("{}", line.trim_end());
        }
        println!("{}", Value::from(self.0.iter().map(Row::json).collect::<Vec<_>>()));
    }
}

impl Row {
    fn shown(&self) -> String {
        if self.value >= 100.0 || self.value.fract() == 0.0 {
            format!("{:.0}", self.value)
        } else {
            format!("{:.2}", self.value)
        }
    }

    fn json(&self) -> Value {
        let value = (self.value * 1000.0).round() / 1000.0;
        let mut row = json!({"measure": self.measure, "value": value, "unit": self.unit});
        if let Some(aim) = self.aim {
            row["aim"] = aim.words().into();
            row["met"] = aim.met(self.value).into();
        }
        row
    }
}

impl Aim {
    fn words(self) -> String {
        match self {
            Self::Under(limit) => format!("< {limit}"),
            Self::AtLeast(limit) => format!(">= {limit}"),
        }
    }

    fn met(self, value: f64) -> bool {
        match self {
            Self::Under(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}
