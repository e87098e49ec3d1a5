//! What a password must not be: one that everybody tries first, or that says whose it is.
//!
//! The list is compiled in (`data/common-passwords.bin`, made by `tools/common-passwords.py`): 32-bit hashes, sorted. One
//! honest password in 200,000 shares a hash with a listed one and is refused too.

use jiff::civil::Date;

use super::{NewPassword, Refused, fold};

const COMMON: &[u8] = include_bytes!("../../data/common-passwords.bin");
/// What everybody knows of this place.
const HOUSE: &str = "carnet";
/// A name of fewer letters is found in honest words: it counts only where it is all there is.
const TELLING: usize = 4;
/// Letters that a password must have beside what is known of its holder: as many as the shortest password has characters.
const OWN: usize = 8;

/// What is known of the person who chooses.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The address.
    pub email: &'a str,
    /// Given and family name.
    pub names: [&'a str; 2],
    /// The birth date, where it is known.
    pub birth_date: Option<Date>,
}

/// Lets a new password through.
///
/// # Errors
/// `password-common`: among those that are tried first. `password-personal`: is the address, a name, the birth date or the
/// name of the house, with little beside it.
pub fn check(password: &NewPassword, holder: &Holder<'_>) -> Result<(), Refused> {
    let text = password.as_str();
    if is_common(text) {
        return Err(Refused("password-common"));
    }
    if is_personal(text, holder) { Err(Refused("password-personal")) } else { Ok(()) }
}

fn is_common(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    letters.len() <= 2 || is_listed(&lower)
}

fn is_listed(text: &str) -> bool {
    let (hashes, _) = COMMON.as_chunks::<4>();
    hashes.binary_search_by_key(&hash(text), |hash| u32::from_be_bytes(*hash)).is_ok()
}

/// The 64 bits of FNV-1a, folded to 32.
fn hash(text: &str) -> u32 {
    let step = |value: u64, byte: u8| (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    u32::try_from((hash >> 32) ^ (hash & u64::from(u32::MAX))).unwrap_or_default()
}

/// Whether it tells whose it is, with less beside that than a password of its own would need. A phrase may well hold a name.
fn is_personal(text: &str, holder: &Holder<'_>) -> bool {
    let told = fold(text);
    let local = holder.email.split_once('@').map_or(holder.email, |(local, _)| local);
    let dates = holder.birth_date.map(|date| {
        let (day, month, year) = (date.day(), date.month(), date.year());
        [format!("{day:02}{month:02}{year:04}"), format!("{year:04}{month:02}{day:02}")]
    });
    let [given, family] = holder.names;
    let words = [local, given, family, HOUSE].map(fold);
    if words.contains(&letters(&told)) {
        return true;
    }
    let telling = words.iter().chain(dates.iter().flatten()).filter(|word| word.chars().count() >= TELLING);
    let rest = telling.fold(told.clone(), |rest, word| rest.replace(word.as_str(), " "));
    rest != told && letters(&rest).chars().count() < OWN
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(password: &str) -> Option<&'static str> {
        let holder =
            Holder {
                email: "zoe.lefort@exemple.fr", names: ["Zoé", "Le Goff"], birth_date: "1988-05-12".parse().ok()
            };
        check(&NewPassword::try_from(password.to_owned()).unwrap(), &holder).err().map(Refused::code)
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for common in
            ["password", "PASSWORD", "123456789", "azertyuiop", "motdepasse", "Marseille13", "aaaaaaaa", "1212121212"]
        {
            assert_eq!(refused(common), Some("password-common"), "{common}");
        }
    }

    #[test]
    fn what_says_whose_it_is_is_refused() {
        for personal in [
            "zoelefort2026",
            "Zoe.Lefort!",
            "legoff en été",
            "L'ÉGOFF-plage",
            "carnet-demo-2026",
            "zoe12345",
            "Mon Carnet à moi",
            "né le 12/05/1988",
            "1988-05-12 !",
        ] {
            assert_eq!(refused(personal), Some("password-personal"), "{personal}");
        }
    }

    #[test]
    fn a_phrase_of_ones_own_is_let_through() {
        for good in [
            "une phrase assez longue",
            "le goff aime les artichauts",
            "Lézard vert sous la pluie",
            "mozoère qui danse",
            "xK4!pl9q",
            "日本語の長い合言葉",
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_small() {
        let (hashes, rest) = COMMON.as_chunks::<4>();
        assert!(rest.is_empty() && hashes.is_sorted());
        assert!((20_000..30_000).contains(&hashes.len()), "{}", hashes.len());
    }

    proptest! {
        #[test]
        fn no_password_breaks_the_check(password in "\\PC{8,40}", email in "\\PC{0,20}", name in "\\PC{0,10}") {
            let holder = Holder { email: &email, names: [&name, ""], birth_date: None };
            if let Ok(password) = NewPassword::try_from(password) {
                let _ = check(&password, &holder);
            }
        }
    }
}
