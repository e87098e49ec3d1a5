//! Words of an establishment's own for a notice: text with `{{ names }}` in it, and nothing else that could do anything.

use super::NoticeChannel;
use crate::person::{is_unseen, nfc};

/// What a name in the words stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The day of the visit.
    Date,
    /// Its hour.
    Time,
    /// With whom.
    Practitioner,
    /// What the place is called.
    Place,
    /// Where it is.
    Address,
    /// To the page of the visit, which asks who one is.
    Link,
}

impl Variable {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Date, Self::Time, Self::Practitioner, Self::Place, Self::Address, Self::Link];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::Practitioner => "practitioner",
            Self::Place => "place",
            Self::Address => "address",
            Self::Link => "link",
        }
    }

    /// Whether it may stand there. A practitioner's name and a place tell what one is treated for: they are in the body of a mail,
    /// never where a screen shows them to whoever is near.
    const fn may_stand(self, part: Part) -> bool {
        matches!(
            (self, part),
            (Self::Date | Self::Time, _) | (_, Part::Body(NoticeChannel::Email)) | (Self::Link, Part::Body(_))
        )
    }
}

/// Which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The subject of a mail.
    Subject,
    /// What a channel carries.
    Body(NoticeChannel),
}

impl Part {
    /// Most characters, names not yet replaced.
    pub const fn most(self) -> usize {
        match self {
            Self::Subject => 100,
            Self::Body(NoticeChannel::Email | NoticeChannel::Letter) => 2000,
            // Three parts of a text message; a browser shows no more of a message either.
            Self::Body(_) => 300,
        }
    }

    const fn is_one_line(self) -> bool {
        !matches!(self, Self::Body(NoticeChannel::Email | NoticeChannel::Letter))
    }
}

/// What a notice would tell that it must not: names that are no variables, and why.
const FORBIDDEN: [&str; 10] = [
    "patient",
    "name",
    "given_name",
    "family_name",
    "birth_date",
    "reason",
    "specialty",
    "note",
    "diagnosis",
    "document",
];

/// Why words are refused. Each has a code, and what is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Nothing stands there.
    #[error("there are no words")]
    Empty,
    /// More than [`Part::most`].
    #[error("more than {0} characters")]
    TooLong(usize),
    /// A control, an unseen character, or a second line where there is one.
    #[error("a character that is not seen")]
    Unseen,
    /// `{{` without its end, or the other way round.
    #[error("braces that do not close")]
    Braces,
    /// No variable of that name.
    #[error("there is no {0}")]
    Unknown(String),
    /// A notice never tells that, or not there.
    #[error("{0} is not told there")]
    Forbidden(String),
    /// A link of one's own: it would lead past the page that asks who one is, or follow who opens it.
    #[error("a link of one's own")]
    Link,
}

impl WordsError {
    /// Stable, for clients and texts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "words-empty",
            Self::TooLong(_) => "words-too-long",
            Self::Unseen => "words-unseen",
            Self::Braces => "words-braces",
            Self::Unknown(_) => "words-unknown",
            Self::Forbidden(_) => "words-forbidden",
            Self::Link => "words-link",
        }
    }
}

/// Sound words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

impl Words {
    /// Parses words for where they stand.
    ///
    /// # Errors
    /// The first thing that is at fault.
    pub fn parse(text: &str, part: Part) -> Result<Self, WordsError> {
        let text = nfc(text.trim());
        if text.is_empty() {
            return Err(WordsError::Empty);
        }
        if text.chars().count() > part.most() {
            return Err(WordsError::TooLong(part.most()));
        }
        let breaks = |c: char| c == '\n' && !part.is_one_line();
        if text.chars().any(|c| (c.is_control() && !breaks(c)) || is_unseen(c)) {
            return Err(WordsError::Unseen);
        }
        let mut pieces = Vec::new();
        let mut rest = &*text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, left) = after.split_once("}}").ok_or(WordsError::Braces)?;
            pieces.extend(literal(before)?);
            pieces.push(Piece::Variable(variable(name.trim(), part)?));
            rest = left;
        }
        pieces.extend(literal(rest)?);
        Ok(Self(pieces))
    }

    /// The words with what the names stand for.
    pub fn write<'a>(&self, value: impl Fn(Variable) -> &'a str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Variable(variable) => value(*variable),
        });
        pieces.collect()
    }
}

fn literal(text: &str) -> Result<Option<Piece>, WordsError> {
    if text.contains(['{', '}']) {
        return Err(WordsError::Braces);
    }
    let lower = text.to_lowercase();
    if ["://", "www.", "mailto:", "tel:"].iter().any(|it| lower.contains(it)) || lower.split_whitespace().any(is_link) {
        return Err(WordsError::Link);
    }
    Ok((!text.is_empty()).then(|| Piece::Text(text.to_owned())))
}

/// Ends of names that telephones and mail programs make a link of, also where nothing else says that it is one. Those that are words
/// of their own, as `de` is, are not among them: people forget the space after a full stop.
const ENDS: [&str; 14] = ["app", "biz", "ch", "com", "dev", "eu", "fr", "gl", "info", "io", "ly", "net", "org", "uk"];

/// Whether a word in small letters becomes a link by itself, or holds one: `bit.ly/3xYz`, `suivi.example/x`, `pharmacie.fr`; not
/// `fini.merci` nor `08.00/09.00`.
fn is_link(word: &str) -> bool {
    let of_a_name = |c: char| c.is_alphanumeric() || c == '-' || is_dot(c);
    let mut rest = word.trim_start_matches(|c| !of_a_name(c));
    while !rest.is_empty() {
        let (name, after) = rest.split_at(rest.find(|c| !of_a_name(c)).unwrap_or(rest.len()));
        if leads_somewhere(name, after) {
            return true;
        }
        rest = after.trim_start_matches(|c| !of_a_name(c));
    }
    false
}

fn leads_somewhere(name: &str, after: &str) -> bool {
    let named = name.trim_end_matches(is_dot);
    let Some((before, end)) = named.rsplit_once(is_dot) else { return false };
    let is_name = before.chars().any(char::is_alphanumeric) && end.len() > 1 && end.chars().all(char::is_alphabetic);
    let mut after = after.chars();
    let goes_on = named == name
        && match after.next() {
            Some('/') => true,
            Some(':') => after.next().is_some_and(|port| port.is_ascii_digit()),
            _ => false,
        };
    is_name && (ENDS.contains(&end) || goes_on)
}

/// Also as other scripts write it: programs read it as one.
const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '．' | '。' | '｡')
}

fn variable(name: &str, part: Part) -> Result<Variable, WordsError> {
    match Variable::ALL.into_iter().find(|it| it.name() == name) {
        Some(variable) if variable.may_stand(part) => Ok(variable),
        Some(_) => Err(WordsError::Forbidden(name.to_owned())),
        None if FORBIDDEN.contains(&name) => Err(WordsError::Forbidden(name.to_owned())),
        None => Err(WordsError::Unknown(name.chars().take(40).collect())),
    }
}
