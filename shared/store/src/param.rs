use serde_json::Value;
use uuid::Uuid;

/// A parameter of a statement. Six types, because these are what both drivers carry soundly; instants and dates enter
/// as text and are cast in the SQL. Options are typed: the prepared statement is cached by text, so a parameter must
/// have the same type at every call.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// `uuid`
    Uuid(Option<Uuid>),
    /// `text`; instants as RFC 3339
    Text(Option<String>),
    /// `int8`
    Int(Option<i64>),
    /// `bool`
    Bool(Option<bool>),
    /// `jsonb`
    Json(Option<Value>),
    /// `text[]`
    Texts(Vec<String>),
    /// `uuid[]` travels as `text[]`: cast with `$n::text[]::uuid[]`
    Uuids(Vec<Uuid>),
}

macro_rules! into_param {
    ($($from:ty => |$value:ident| $variant:ident($inner:expr)),* $(,)?) => {$(
        impl From<$from> for Param {
            fn from($value: $from) -> Self { Self::$variant(Some($inner)) }
        }
        impl From<Option<$from>> for Param {
            fn from(value: Option<$from>) -> Self { Self::$variant(value.map(|$value| $inner)) }
        }
    )*};
}

into_param! {
    Uuid => |value| Uuid(value),
    String => |value| Text(value),
    &str => |value| Text(value.to_owned()),
    i64 => |value| Int(value),
    i32 => |value| Int(i64::from(value)),
    u32 => |value| Int(i64::from(value)),
    bool => |value| Bool(value),
    Value => |value| Json(value),
    domain::Timestamp => |value| Text(instant(value)),
}

/// RFC 3339, as PostgreSQL reads it: that knows no year before 1 in this form. What is earlier is before all that is kept.
fn instant(at: domain::Timestamp) -> String {
    const YEAR_ONE: i64 = -62_135_596_800;
    if at.as_second() < YEAR_ONE { "-infinity".to_owned() } else { at.to_string() }
}

impl From<Vec<String>> for Param {
    fn from(values: Vec<String>) -> Self {
        Self::Texts(values)
    }
}

impl From<Vec<Uuid>> for Param {
    fn from(values: Vec<Uuid>) -> Self {
        Self::Uuids(values)
    }
}

/// A list of parameters, converted: `params![actor, slot.id, now]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::Param::from($value)),*] };
}
