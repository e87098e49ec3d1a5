//! What people say of themselves, parsed. An error's text is a code, for which the edge has words.

mod letters;
pub mod password;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use letters::{is_unseen, nfc};

/// A stable code that says why a value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

impl Refused {
    /// The code.
    pub fn code(self) -> &'static str {
        self.0
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($($schema:tt)*) = $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, $($schema)*))]
        pub struct $name(String);

        impl $name {
            /// As a text.
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl TryFrom<String> for $name {
            type Error = Refused;
            fn try_from(text: String) -> Result<Self, Refused> { ($parse)(text).map(Self) }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self { value.0 }
        }
    )*};
}

texts! {
    /// An e-mail address, at most 254 characters (RFC 5321 §4.5.3.1.3), of a domain with a dot, which is kept in lower case.
    Email(format = "email", max_length = 254) = email;
    /// A given or family name: 1 to 100 characters with a letter, no control or unseen characters, no word of letters of two
    /// alphabets that look alike. Kept in NFC.
    Name(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1F\x7F-\x9F]*\p{L}[^\x00-\x1F\x7F-\x9F]*$") = name;
    /// A new password: 8 to 128 characters (OWASP ASVS 5.0 §6.2), in NFC (NIST SP 800-63B §3.1.1.2).
    NewPassword(format = "password", min_length = 8, max_length = 128, pattern = r"^[^\x00]*$") = new_password;
    /// A telephone number: 6 to 15 digits, perhaps after a `+` (ITU-T E.164), separators removed.
    Phone(min_length = 6, max_length = 25, pattern = r"^[ .()-]*\+?([ .()-]*[0-9]){6,15}[ .()-]*$") = phone;
    /// Words of one person to another: at most 1,000 characters.
    Note(max_length = 1000, pattern = r"^[^\x00]*$") = note;
}

fn email(text: String) -> Result<String, Refused> {
    let options = email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
    let text = text.trim();
    let sound =
        text.len() <= 254 && text.is_ascii() && email_address::EmailAddress::parse_with_options(text, options).is_ok();
    match text.rsplit_once('@') {
        Some((mailbox, domain)) if sound && is_relayed(mailbox) && is_host(domain) => {
            Ok(format!("{mailbox}@{}", domain.to_ascii_lowercase()))
        }
        _ => Err(Refused("email")),
    }
}

/// RFC 5321 allows more, and relays refuse it: quoted mailboxes, routes within them (`a%b@c`, `a!b@c`), pipes and paths.
fn is_relayed(mailbox: &str) -> bool {
    mailbox.len() <= 64
        && !mailbox.contains(['"', '%', '!', '|'])
        && !mailbox.starts_with('/')
        && !mailbox.contains("/../")
}

/// Labels of letters, digits and inner hyphens (RFC 1123 §2.1), the last of them not a number.
fn is_host(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    domain.split('.').all(is_label) && top.len() >= 2 && !top.bytes().all(|byte| byte.is_ascii_digit())
}

fn name(text: String) -> Result<String, Refused> {
    let sound = text.chars().count() <= 100
        && text.chars().any(char::is_alphabetic)
        && !text.chars().any(|c| c.is_control() || matches!(c, '<' | '>'));
    if !sound {
        return Err(Refused("name"));
    }
    letters::honest(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn new_password(text: String) -> Result<String, Refused> {
    let text = nfc(&text);
    match text.chars().count() {
        // Who signs in cannot send it back.
        _ if text.contains('\0') => Err(Refused("words")),
        0..8 => Err(Refused("password-short")),
        8..=128 => Ok(text),
        _ => Err(Refused("password-long")),
    }
}

fn phone(text: String) -> Result<String, Refused> {
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let sound =
        text.len() <= 25 && (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound { Ok(number) } else { Err(Refused("phone")) }
}

/// A number as networks everywhere dial it: `+`, country, number (ITU-T E.164). One of France without its country, 0X and
/// eight digits, becomes +33 X: also where it is one of an overseas department, which is dialled by its own country code
/// (+262, +590, +594, +596) and has to be given with it. None for what names no country.
pub fn dialled(number: &str) -> Option<String> {
    let number = match (number.strip_prefix('+'), number.strip_prefix("00"), number.strip_prefix('0')) {
        (Some(whole), _, _) | (None, Some(whole), _) => whole.to_owned(),
        (None, None, Some(french)) if french.len() == 9 => format!("33{french}"),
        _ => return None,
    };
    // As many write it: +33 (0)6 …
    let number = match number.strip_prefix("330") {
        Some(rest) if rest.len() == 9 => format!("33{rest}"),
        _ => number,
    };
    let sound = (6..=15).contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| format!("+{number}"))
}

/// Réunion and Mayotte, Guadeloupe, Guyane, Martinique: nine digits, of which mobile numbers begin with 69 or 7.
const OVERSEAS: [&str; 4] = ["262", "590", "594", "596"];
/// Saint-Pierre-et-Miquelon, Nouvelle-Calédonie, Polynésie, Wallis-et-Futuna; and how mobile numbers begin in Monaco, Andorre, Belgium,
/// Luxembourg, Switzerland, Germany, Italy, Spain, Portugal, the Netherlands, Ireland and the United Kingdom (ITU-T national
/// numbering plans). No satellite, no service, no number that its owner earns with.
const NEAR: [&str; 26] = [
    "508", "687", "689", "681", "3776", "3773", "3774", "3763", "3766", "324", "3526", "417", "4915", "4916", "4917",
    "393", "346", "347", "3519", "316", "3538", "4471", "4473", "4474", "4475", "4477",
];

/// Whether a code may be sent to a number, as [`dialled`] writes it: a mobile one of France or of its overseas departments
/// (ARCEP's numbering plan, decision 2018-0881), or one of a country near by. A number anywhere may be kept; but for codes to it
/// we pay, and numbers that cost a lot are asked for by who earns with them.
pub fn takes_codes(dialled: &str) -> bool {
    let number = dialled.trim_start_matches('+');
    if let Some(french) = number.strip_prefix("33") {
        return french.len() == 9 && french.starts_with(['6', '7']);
    }
    if let Some(local) = OVERSEAS.iter().find_map(|code| number.strip_prefix(code)) {
        return local.len() == 9 && (local.starts_with("69") || local.starts_with('7'));
    }
    number.len() >= 9 && NEAR.iter().any(|code| number.starts_with(code))
}

fn note(text: String) -> Result<String, Refused> {
    // PostgreSQL stores no NUL; nobody types one.
    let sound = text.chars().count() <= 1000 && !text.contains('\0');
    if sound { Ok(text) } else { Err(Refused("note")) }
}

/// One spelling of a name for comparing: neither accents, case, hyphens, apostrophes nor blanks make a difference.
pub fn fold(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    use unicode_normalization::char::is_combining_mark;
    let letters = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    letters.filter(|c| c.is_alphanumeric()).collect()
}

/// A birth date: not before 1900, not after today (in the zone furthest ahead, UTC+14).
///
/// # Errors
/// `birth-date`.
pub fn birth_date(date: Date, now: Timestamp) -> Result<Date, Refused> {
    let latest = now.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(14))).date();
    if date.year() >= 1900 && date <= latest { Ok(date) } else { Err(Refused("birth-date")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_go_to_mobile_numbers_of_france_and_to_countries_near_by() {
        for good in ["+33639980102", "+33739980102", "+262692000102", "+590690000102", "+32470000102", "+377640061020"]
        {
            assert!(takes_codes(good), "{good}");
        }
        for costly in [
            "+33899700001",
            "+33139980102",
            "+262262000102",
            "+8835100012345",
            "+88213000001",
            "+25261000001",
            "+37190000001",
            "+447012345678",
            "+3212",
        ] {
            assert!(!takes_codes(costly), "{costly}");
        }
    }

    #[test]
    fn addresses_are_taken_as_written_or_refused() {
        for good in ["ada@example.org", "Ada.L+carnet@sub.example.org", " ada@example.org "] {
            assert!(Email::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "ada@localhost",
            "Ada <ada@example.org>",
            "a\r\nBcc: b@example.org",
            "é@example.org",
            "\"a b\"@example.org",
            "a%b@example.org",
            "a!b@example.org",
            "|cat@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a@-example.org",
            "a@example-.org",
            "a@ex_ample.org",
            "a@example.123",
            "a@192.0.2.1",
            "a@example.o",
            "a@example..org",
            "a@аpple.com",
        ] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(Email::try_from(format!("{}@example.org", "a".repeat(65))).is_err());
        assert!(Email::try_from(format!("a@{}.org", "b".repeat(64))).is_err());
        assert_eq!(Email::try_from("Ada.L@Example.ORG".to_owned()).unwrap().as_str(), "Ada.L@example.org");
    }

    #[test]
    fn a_letter_in_another_dress_is_the_letter_and_markup_is_no_name() {
        for (dressed, plain) in [("𝐀nne", "Anne"), ("Ｚｏｅ", "Zoe"), ("Joﬁ", "Jofi"), ("คำ", "คำ"), ("D´Arc", "D´Arc")]
        {
            assert_eq!(Name::try_from(dressed.to_owned()).unwrap().as_str(), plain);
        }
        for markup in ["<script>", "Anne <b>", "a>b"] {
            assert!(Name::try_from(markup.to_owned()).is_err(), "{markup}");
        }
    }

    #[test]
    fn names_of_everybody_are_names() {
        for good in [
            "Zoé",
            "N'Guyen",
            "D’Arc",
            "Jean-Baptiste",
            "Nguyễn Thị",
            "李",
            "  Le   Goff ",
            "Łukasz",
            "Þórr",
            "Μαρία",
            "Ольга",
            "محمد",
            "مُحَمَّد",
            "שָׁלוֹם",
            "राम",
            "สมชาย",
            "田中",
            "たなか",
            "김민준",
            "Արամ",
            "Ольга Smith",
            "José María",
            "Ǆ",
            "J. R. R.",
            "Ngũgĩ",
        ] {
            assert!(Name::try_from(good.to_owned()).is_ok(), "{good}");
        }
        let composed = Name::try_from("Zoe\u{301}".to_owned()).unwrap();
        assert_eq!(composed.as_str(), "Zo\u{e9}", "one form for what looks the same");
        for bad in ["", "   ", "123", "\u{0}", "Ada\u{7}", "Ada\r\nBcc: b"] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_what_it_seems() {
        let why = |text: &str| Name::try_from(text.to_owned()).unwrap_err().code();
        for unseen in [
            "A\u{202e}da",
            "Ada\u{200b}",
            "A\u{200d}da",
            "A\u{2066}da\u{2069}",
            "Ad\u{ad}a",
            "\u{feff}Ada",
            "Ada\u{e0041}",
            "A\u{3164}b",
            "A\u{fe0f}",
            "A\u{e000}",
        ] {
            assert_eq!(why(unseen), "name-unseen", "{unseen:?}");
        }
        for marks in ["\u{301}Ada", "Ada \u{301}", "A\u{300}\u{316}\u{317}\u{318}\u{319}\u{31a}da", "A-\u{301}da"] {
            assert_eq!(why(marks), "name-marks", "{marks:?}");
        }
        for mixed in ["Аda", "Pаul", "Μaria", "Οльга", "O'Νeill-Pаul", "Raоul"] {
            assert_eq!(why(mixed), "name-mixed", "{mixed:?}");
        }
    }

    #[test]
    fn a_password_is_the_same_however_its_accents_were_typed() {
        let typed = |text: &str| String::from(NewPassword::try_from(text.to_owned()).unwrap());
        assert_eq!(typed("e\u{301}te\u{301} 2026 a"), typed("\u{e9}t\u{e9} 2026 a"));
        assert!(
            NewPassword::try_from("e\u{301}e\u{301}e\u{301}e\u{301}".to_owned()).is_err(),
            "four letters, not eight"
        );
    }

    #[test]
    fn telephone_numbers_lose_their_separators() {
        assert_eq!(Phone::try_from("06 39 98 12.34".to_owned()).unwrap().as_str(), "0639981234");
        assert_eq!(Phone::try_from("+33 6 39 98 12 34".to_owned()).unwrap().as_str(), "+33639981234");
        for bad in ["", "12345", "+", "06 39 98 ab", "1234567890123456", "0 6 3 9 9 8 1 2 3 4 . . . ."] {
            assert!(Phone::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_is_dialled_with_its_country() {
        for (given, whole) in [
            ("0639981234", "+33639981234"),
            ("+33639981234", "+33639981234"),
            ("0033639981234", "+33639981234"),
            ("+330639981234", "+33639981234"),
            ("+262692123456", "+262692123456"),
            ("00441632960961", "+441632960961"),
            // Nobody in France, but nothing in the number says so.
            ("0692123456", "+33692123456"),
        ] {
            assert_eq!(dialled(given).as_deref(), Some(whole), "{given}");
        }
        for nowhere in
            ["", "+", "112", "639981234", "06399812345", "063998123", "+0639981234", "+1234567890123456", "00"]
        {
            assert_eq!(dialled(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn nobody_is_born_tomorrow() {
        let now: Timestamp = "2026-03-03T23:30:00Z".parse().unwrap();
        assert!(birth_date("2026-03-04".parse().unwrap(), now).is_ok(), "it is already the 4th in Nouméa");
        assert!(birth_date("2026-03-05".parse().unwrap(), now).is_err());
        assert!(birth_date("1899-12-31".parse().unwrap(), now).is_err());
    }

    #[test]
    fn names_are_compared_without_accents_case_and_separators() {
        for (one, other) in [("Zoé", "zoe"), ("Jean-Yves", "JEAN YVES"), ("O’Neill", "o'neill"), ("Zoe\u{301}", "ZOÉ")]
        {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("Léo"), fold("Léa"));
    }

    proptest! {
        #[test]
        fn a_name_that_is_kept_is_kept_as_it_is(text in "[\\p{L}\\p{M} '-]{1,20}") {
            if let Ok(name) = Name::try_from(text) {
                let again = Name::try_from(name.as_str().to_owned());
                prop_assert_eq!(again.unwrap(), name);
            }
        }

        #[test]
        fn no_text_breaks_a_parser(text in "\\PC{0,60}") {
            let _ = Email::try_from(text.clone());
            let _ = Name::try_from(text.clone());
            let _ = Phone::try_from(text.clone());
            let _ = Note::try_from(text);
        }
    }
}
