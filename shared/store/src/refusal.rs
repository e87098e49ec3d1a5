use crate::DbError;

/// What the server said of a statement that it refused.
pub(crate) struct Refusal<'a> {
    /// The SQLSTATE.
    pub code: &'a str,
    /// Its words.
    pub message: &'a str,
    /// The constraint it names.
    pub constraint: Option<&'a str>,
    /// What it adds: the resource that lost, or row data.
    pub detail: Option<&'a str>,
}

impl From<Refusal<'_>> for DbError {
    /// Of what may quote what somebody typed nothing is kept: no detail, and no message of class 22.
    fn from(refusal: Refusal<'_>) -> Self {
        let Refusal { code, message, constraint, detail } = refusal;
        if let Some(name) = constraint {
            let loser = detail.and_then(|detail| detail.parse().ok());
            return Self::Constraint { name: name.to_owned(), code: code.to_owned(), loser };
        }
        match code {
            // Shutdown, start-up, too many connections, cancelled for time, deadlock, serialisation, lock timeout.
            "57P01" | "57P02" | "57P03" | "53300" | "57014" | "40P01" | "40001" | "55P03" => {
                Self::Unavailable(code.to_owned())
            }
            // Who we are is not known there, or the database is not: credentials that change, a server that is being restored.
            "3D000" | "28000" | "28P01" => Self::Unavailable(code.to_owned()),
            // A table or a function is not there: this release is here before its migrations.
            "42P01" | "42883" => Self::Unavailable(format!("{code}: the schema is not up to date")),
            other if other.starts_with("08") || other.starts_with("53") => Self::Unavailable(code.to_owned()),
            // Class 22 quotes the offending value.
            other if other.starts_with("22") => Self::Bug(format!("SQLSTATE {code}")),
            _ => Self::Bug(format!("SQLSTATE {code}: {message}")),
        }
    }
}
