use std::fmt;

use serde::Serialize;

use super::{Column, Profession, Rejection, Values, profession};
use crate::holidays::{HolidayCalendar, time_zone_of_postal_code};
use crate::person::{Name, Phone};

/// Longest text kept of a place's name or address, in characters.
const LONGEST: usize = 200;
/// Longest name of a person.
const LONGEST_NAME: usize = 100;
/// Longest identifier or code.
const LONGEST_CODE: usize = 40;

/// A professional's number in the national directory: 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rpps(u64);

impl Rpps {
    /// Reads exactly 11 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// Whether the last digit is the key (Luhn) of the others. No text of ANS promises it and fictive numbers lack it,
    /// so this is worth a warning and no more.
    pub fn has_sound_key(self) -> bool {
        let (mut rest, mut sum, mut double) = (self.0, 0, false);
        while rest > 0 {
            let digit = rest % 10 * if double { 2 } else { 1 };
            sum += digit / 10 + digit % 10;
            (rest, double) = (rest / 10, !double);
        }
        sum % 10 == 0
    }
}

impl fmt::Display for Rpps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:011}", self.0)
    }
}

impl Serialize for Rpps {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What somebody practises: a medical specialty (`SM…`) or else the profession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Specialty {
    /// Of `TRE_R38` (specialties) or `TRE_G15` (professions).
    pub code: String,
    /// French name.
    pub label_fr: String,
    /// English name; the French one where there is no translation.
    pub label_en: String,
}

/// Where somebody practises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Who it is from file to file.
    pub key: String,
    /// As on the door.
    pub name: String,
    /// Number and street.
    pub address_line: String,
    /// Five digits.
    pub postal_code: String,
    /// Town.
    pub city: String,
    /// IANA name.
    pub time_zone: &'static str,
    /// The public holidays it observes.
    pub holidays: HolidayCalendar,
}

/// One activity of one professional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who.
    pub rpps: Rpps,
    /// `Dr`, `Pr` or nothing.
    pub title: &'static str,
    /// Given name in practice; may be empty.
    pub given_name: String,
    /// Family name in practice.
    pub family_name: String,
    /// Telephone of the place.
    pub phone: Option<String>,
    /// What.
    pub specialty: Specialty,
    /// Where; none for who has no place (a locum), or one without a town in France.
    pub place: Option<Place>,
}

pub(super) fn read(values: &Values<'_>) -> Result<Option<Record>, Rejection> {
    let code = |column| values.get(column, LONGEST_CODE);
    // 8 is RPPS; 0 is ADELI, whose holders have no RPPS number yet, and the others are internal (TRE_G08).
    match code(Column::IdentifierType).as_bytes() {
        [] | b"8" => {}
        [b'0'..=b'9'] => return Ok(None),
        _ => return Err(Rejection::RppsInvalid),
    }
    let rpps = rpps(&code(Column::Identifier), &code(Column::NationalIdentifier))?;
    let profession_code = code(Column::Profession);
    let (label_fr, label_en) = match profession(&profession_code) {
        Some(Profession::Care(label_fr, label_en)) => (label_fr, label_en),
        Some(Profession::Other) => return Ok(None),
        None if profession_code.is_empty() => return Err(Rejection::ProfessionMissing),
        None => return Err(Rejection::ProfessionUnknown),
    };
    Ok(Some(Record {
        rpps,
        title: title(&code(Column::Title)),
        given_name: given_name(values)?,
        family_name: family_name(values)?,
        phone: Phone::try_from(code(Column::Phone)).ok().map(String::from),
        specialty: medical_specialty(values).unwrap_or_else(|| Specialty {
            code: profession_code,
            label_fr: label_fr.to_owned(),
            label_en: label_en.to_owned(),
        }),
        place: place(values),
    }))
}

/// The number itself, or the national identification, which is `8` and the number.
fn rpps(identifier: &str, national: &str) -> Result<Rpps, Rejection> {
    let text = if identifier.is_empty() { national.strip_prefix('8').unwrap_or(national) } else { identifier };
    if text.is_empty() { Err(Rejection::RppsMissing) } else { Rpps::parse(text).ok_or(Rejection::RppsInvalid) }
}

fn family_name(values: &Values<'_>) -> Result<String, Rejection> {
    let name = values.get(Column::FamilyName, LONGEST_NAME + 1);
    if name.chars().count() > LONGEST_NAME {
        return Err(Rejection::NameTooLong);
    }
    Name::try_from(name).map(String::from).map_err(|_| Rejection::FamilyNameMissing)
}

fn given_name(values: &Values<'_>) -> Result<String, Rejection> {
    let name = values.get(Column::GivenName, LONGEST_NAME + 1);
    if name.chars().count() > LONGEST_NAME {
        return Err(Rejection::NameTooLong);
    }
    Ok(Name::try_from(name).map(String::from).unwrap_or_default())
}

/// `TRE_R11`. `M` and `MME` are no titles one is called by here.
fn title(code: &str) -> &'static str {
    match code.to_ascii_uppercase().as_str() {
        "DR" | "MC" | "MG" => "Dr",
        "PR" => "Pr",
        _ => "",
    }
}

fn medical_specialty(values: &Values<'_>) -> Option<Specialty> {
    let code = values.get(Column::Skill, LONGEST_CODE).to_ascii_uppercase();
    if !values.get(Column::SkillType, LONGEST_CODE).eq_ignore_ascii_case("S") || code.is_empty() {
        return None;
    }
    let label = values.get(Column::SkillLabel, LONGEST);
    let label = if label.is_empty() { code.clone() } else { label };
    Some(Specialty { code, label_en: label.clone(), label_fr: label })
}

fn place(values: &Values<'_>) -> Option<Place> {
    let text = |column| values.get(column, LONGEST);
    let (cedex_code, cedex_city) = cedex(&text(Column::Cedex));
    let postal_code = Some(text(Column::PostalCode)).filter(|code| !code.is_empty()).or(cedex_code)?;
    let city = Some(text(Column::City)).filter(|city| !city.is_empty()).or(cedex_city)?;
    if postal_code.len() != 5 || !postal_code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let address_line = address_line(values);
    let name = [text(Column::TradeName), text(Column::LegalName), address_line.clone(), city.clone()];
    let name = name.into_iter().find(|name| !name.is_empty())?;
    let key = identifier(values)
        .unwrap_or_else(|| format!("address:{postal_code}|{city}|{address_line}|{name}").to_lowercase());
    let (time_zone, holidays) = (time_zone_of_postal_code(&postal_code), HolidayCalendar::of_postal_code(&postal_code));
    Some(Place { key, name, address_line, postal_code, city, time_zone, holidays })
}

/// Establishments keep their FINESS number when they move or change owner; a SIRET changes with the address.
fn identifier(values: &Values<'_>) -> Option<String> {
    let known = [(Column::Finess, "finess"), (Column::Structure, "structure"), (Column::Siret, "siret")];
    known.into_iter().find_map(|(column, kind)| {
        let value = values.get(column, LONGEST_CODE).to_ascii_uppercase();
        (!value.is_empty()).then(|| format!("{kind}:{value}"))
    })
}

fn address_line(values: &Values<'_>) -> String {
    let mut parts = [Column::StreetNumber, Column::StreetRepeat, Column::StreetType, Column::Street]
        .map(|column| values.get(column, LONGEST));
    if parts[2].is_empty() {
        parts[2] = values.get(Column::StreetTypeCode, LONGEST_CODE);
    }
    let street = parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
    let mut line = if parts[3].is_empty() { values.get(Column::Distribution, LONGEST) } else { street };
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
    }
    line
}

/// `69495 PIERRE BENITE CEDEX`: the code and the town.
fn cedex(text: &str) -> (Option<String>, Option<String>) {
    match text.split_once(' ') {
        Some((code, city)) if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit()) => {
            (Some(code.to_owned()), Some(city.to_owned()))
        }
        _ => (None, None),
    }
}
