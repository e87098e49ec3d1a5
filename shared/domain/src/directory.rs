//! The national directory's open file, `PS_LibreAcces_Personne_activite`: one line for each activity of a professional,
//! values between `|`, columns named by the first line.
//!
//! Columns are found by name, in any order, whatever the case, the accents and how these were damaged on the way: the
//! file gained columns over the years and keeps gaining some. Only the identifier, the name and the profession must be
//! there. A line that cannot be used is a [`Rejection`]; its words never hold what the line said.

mod encoding;
mod lines;
mod profession;
mod record;

use std::borrow::Cow;

pub use encoding::Encoding;
pub use lines::{Lines, MAX_LINE_BYTES, RawLine};
pub use profession::{Profession, profession};
pub use record::{Place, Record, Rpps, Specialty};

/// Why a line was left out. The text is what an operator reads beside the line's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Values and columns do not pair.
    #[error("column-count: {found} values for {expected} columns")]
    ColumnCount {
        /// Values on the line.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// Nobody is named.
    #[error("rpps-missing")]
    RppsMissing,
    /// Not 11 digits.
    #[error("rpps-invalid: 11 digits expected")]
    RppsInvalid,
    /// No family name, or nothing that can be one.
    #[error("family-name-missing")]
    FamilyNameMissing,
    /// A name of more than 100 characters.
    #[error("name-too-long: 100 characters at most")]
    NameTooLong,
    /// No profession.
    #[error("profession-missing")]
    ProfessionMissing,
    /// A code that `TRE_G15` and its neighbours did not have when this was written: the table must be looked at.
    #[error("profession-unknown")]
    ProfessionUnknown,
    /// Bytes that are not text in the file's encoding.
    #[error("not-utf-8")]
    NotUtf8,
    /// More than [`MAX_LINE_BYTES`].
    #[error("line-too-long: {MAX_LINE_BYTES} bytes at most")]
    TooLong,
}

/// Why a file is not this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheDirectory {
    /// The first line lacks a column that must be there.
    #[error("the first line has no column {0:?}")]
    ColumnMissing(&'static str),
    /// The first line is missing, too long or not text.
    #[error("the first line is not a header")]
    Unreadable,
}

macro_rules! columns {
    ($($name:ident = $title:literal),* $(,)?) => {
        /// The columns that are read, wherever they stand.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Column { $($name),* }
        impl Column {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $title)),*];
        }
    };
}

columns! {
    IdentifierType = "Type d'identifiant PP",
    Identifier = "Identifiant PP",
    NationalIdentifier = "Identification nationale PP",
    Title = "Code civilité d'exercice",
    FamilyName = "Nom d'exercice",
    GivenName = "Prénom d'exercice",
    Profession = "Code profession",
    ProfessionLabel = "Libellé profession",
    SkillType = "Code type savoir-faire",
    Skill = "Code savoir-faire",
    SkillLabel = "Libellé savoir-faire",
    Siret = "Numéro SIRET site",
    Finess = "Numéro FINESS site",
    Structure = "Identifiant technique de la structure",
    LegalName = "Raison sociale site",
    TradeName = "Enseigne commerciale site",
    StreetNumber = "Numéro Voie",
    StreetRepeat = "Indice répétition voie",
    StreetType = "Libellé type de voie",
    StreetTypeCode = "Code type de voie",
    Street = "Libellé Voie",
    Distribution = "Mention distribution",
    Cedex = "Bureau cedex",
    PostalCode = "Code postal",
    City = "Libellé commune",
    Phone = "Téléphone",
}

/// The first line: where each column stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    width: usize,
    /// Whether the header ends with a pipe.
    closed: bool,
    places: [Option<usize>; Column::ALL.len()],
}

impl Header {
    /// Reads the first line.
    ///
    /// # Errors
    /// Names the first required column that is missing.
    pub fn parse(line: &str) -> Result<Self, NotTheDirectory> {
        let mut titles = split(line, '|');
        let closed = titles.last().is_some_and(|last| last.trim().is_empty());
        if closed {
            titles.pop();
        }
        let keys: Vec<String> = titles.iter().map(|title| key(title)).collect();
        let mut places = [None; Column::ALL.len()];
        for (column, title) in Column::ALL {
            // A damaged accent is either another letter's bytes or nothing: then the letter is missing on our side too.
            let (whole, damaged) = (key(title), key(&title.replace(|c: char| !c.is_ascii(), "")));
            places[*column as usize] = keys.iter().position(|key| *key == whole || *key == damaged);
        }
        let header = Self { width: titles.len(), closed, places };
        let has = |column: Column| header.places[column as usize].is_some();
        for (column, title) in Column::ALL {
            let required = match column {
                Column::Identifier => !has(Column::NationalIdentifier),
                Column::FamilyName | Column::Profession => true,
                _ => false,
            };
            if required && !has(*column) {
                return Err(NotTheDirectory::ColumnMissing(title));
            }
        }
        Ok(header)
    }

    /// Reads a line; none is somebody the product has no place for: another profession, or no RPPS number by design.
    ///
    /// # Errors
    /// Why the line cannot be used.
    pub fn record(&self, line: &str) -> Result<Option<Record>, Rejection> {
        record::read(&self.values(line)?)
    }

    /// Pairs values and columns. Stray quotes are common in names of places, so quoting only counts where the pipes
    /// alone do not give the right number of values.
    fn values<'a>(&'a self, line: &'a str) -> Result<Values<'a>, Rejection> {
        let plain = split(line, '|');
        let found = plain.len() - usize::from(self.closed && plain.last().is_some_and(|last| last.trim().is_empty()));
        let cells = [plain, split_quoted(line)].into_iter().find_map(|mut cells| {
            let empty_end = cells.last().is_some_and(|last| last.trim().is_empty());
            if cells.len() == self.width + 1 && empty_end {
                cells.pop();
            } else if self.closed && empty_end {
                // Ends as the header does and lacks a value: every value would stand one column off.
                return None;
            }
            (cells.len() == self.width).then_some(cells)
        });
        let cells = cells.ok_or(Rejection::ColumnCount { found, expected: self.width })?;
        Ok(Values { header: self, cells })
    }
}

/// The values of one line, by column.
struct Values<'a> {
    header: &'a Header,
    cells: Vec<&'a str>,
}

impl Values<'_> {
    /// The value, without its quotes, control characters and needless spaces; empty where there is none. Cut at
    /// `limit` characters.
    fn get(&self, column: Column, limit: usize) -> String {
        let Some(cell) = self.header.places[column as usize].and_then(|place| self.cells.get(place)) else {
            return String::new();
        };
        let cell = unquoted(cell);
        let clean = cell.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let mut text = String::with_capacity(cell.len());
        for word in clean {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        if let Some((end, _)) = text.char_indices().nth(limit) {
            text.truncate(end);
        }
        text
    }
}

fn split(line: &str, separator: char) -> Vec<&str> {
    line.trim_end_matches(['\r', '\n']).split(separator).collect()
}

/// As [`split`], but a pipe between quotes is a part of the value.
fn split_quoted(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.trim_end_matches(['\r', '\n'])
        .split(|c: char| {
            quoted ^= c == '"';
            c == '|' && !quoted
        })
        .collect()
}

fn unquoted(cell: &str) -> Cow<'_, str> {
    let cell = cell.trim();
    match cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) if inside.contains("\"\"") => Cow::Owned(inside.replace("\"\"", "\"")),
        Some(inside) => Cow::Borrowed(inside),
        None => Cow::Borrowed(cell),
    }
}

/// A column's name without what differs from file to file: accents, case, spaces, apostrophes, `#`, `(coord. structure)`.
fn key(title: &str) -> String {
    let title = unquoted(title);
    let title = title.split('(').next().unwrap_or_default();
    title.chars().map(plain).filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The letter under a French accent.
fn plain(letter: char) -> char {
    match letter {
        'à' | 'â' | 'ä' | 'À' | 'Â' | 'Ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' | 'Ë' => 'e',
        'î' | 'ï' | 'Î' | 'Ï' => 'i',
        'ô' | 'ö' | 'Ô' | 'Ö' => 'o',
        'ù' | 'û' | 'ü' | 'Ù' | 'Û' | 'Ü' => 'u',
        'ç' | 'Ç' => 'c',
        other => other,
    }
}

#[cfg(test)]
mod tests;
