//! Short messages: how many of them a text is, and what people answer to one.

use crate::person::fold;

/// What one septet stands for (3GPP TS 23.038 §6.2.1, once GSM 03.38): the basic alphabet. `ç` is not among them, nor are
/// circumflexes and the curved apostrophe: one of these makes a text one of 70 characters.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                     abcdefghijklmnopqrstuvwxyzäöñüà";
/// What takes two, an escape and another (§6.2.1.1).
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How a text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Seven bits a character: 160 in a message.
    Gsm7,
    /// UTF-16: 70 units in a message.
    Ucs2,
}

impl Alphabet {
    /// What one message of its own holds, and what a part of a longer one does: its header takes the rest (3GPP TS 23.040
    /// §9.2.3.24.1).
    const fn room(self) -> (u32, u32) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }

    /// What a character takes; nothing for one that this alphabet does not have.
    fn width(self, character: char) -> Option<u32> {
        match self {
            Self::Gsm7 if BASIC.contains(character) => Some(1),
            Self::Gsm7 if EXTENSION.contains(character) => Some(2),
            Self::Gsm7 => None,
            Self::Ucs2 => Some(if character.len_utf16() == 1 { 1 } else { 2 }),
        }
    }
}

/// What a text is as short messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// How many messages are sent, and paid for.
    pub count: u32,
    /// Septets or units of UTF-16 in all.
    pub units: u32,
    /// How it travels.
    pub alphabet: Alphabet,
}

/// Counts the messages of a text. No character is torn in two between parts: what takes two units and has room for one there
/// goes to the next.
pub fn segments(text: &str) -> Segments {
    let gsm = text.chars().all(|character| Alphabet::Gsm7.width(character).is_some());
    let alphabet = if gsm { Alphabet::Gsm7 } else { Alphabet::Ucs2 };
    let widths = || text.chars().filter_map(|character| alphabet.width(character));
    let (alone, part) = alphabet.room();
    let units = widths().fold(0, u32::saturating_add);
    if units <= alone {
        return Segments { count: 1, units, alphabet };
    }
    let (count, _) = widths().fold((1_u32, 0), |(count, used), width| {
        if used + width <= part { (count, used + width) } else { (count.saturating_add(1), width) }
    });
    Segments { count, units, alphabet }
}

/// What somebody answers to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// No more messages to this number (CPCE art. L. 34-5).
    Stop,
    /// Messages again.
    Start,
    /// They do not come.
    Cancel,
    /// They come.
    Confirm,
    /// Anything else: for people to read.
    Other,
}

/// What ends messages, as the first word.
const STOP: [&str; 8] =
    ["stop", "stopsms", "stopall", "arret", "arretez", "desabonner", "desinscription", "unsubscribe"];
/// What may stand before it.
const GREETING: [&str; 11] =
    ["bonjour", "bonsoir", "salut", "hello", "hi", "merci", "svp", "stp", "please", "madame", "monsieur"];
const START: [&str; 2] = ["start", "unstop"];
const CANCEL: [&str; 10] =
    ["2", "non", "no", "annuler", "annule", "annulez", "annulation", "cancel", "decommander", "decommande"];
const CONFIRM: [&str; 9] = ["1", "oui", "yes", "ok", "confirme", "confirmer", "confirmez", "confirm", "confirmation"];
/// What changes nothing about it.
const COURTESY: [&str; 20] = [
    "bonjour", "bonsoir", "merci", "svp", "stp", "je", "j", "mon", "ma", "le", "la", "l", "ce", "rdv", "rendez",
    "vous", "visite", "please", "thanks", "hello",
];

impl Reply {
    /// Understands STOP by its first word after a greeting, whatever follows, and the others where nothing else is said beside some
    /// courtesy: case, accents and what stands between words make no difference. « Ne pas annuler » is for people to read.
    pub fn of(text: &str) -> Self {
        let words = text.split(|character: char| !character.is_alphanumeric() && !is_mark(character)).map(fold);
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        let mut after_greeting = words.iter().map(String::as_str).skip_while(|word| GREETING.contains(word));
        if after_greeting.next().is_some_and(|first| STOP.contains(&first)) {
            return Self::Stop;
        }
        let mut said = words.iter().map(String::as_str).filter(|word| !COURTESY.contains(word)).map(Self::of_word);
        let Some(first) = said.next() else { return Self::Other };
        if said.all(|next| next == first) { first } else { Self::Other }
    }

    fn of_word(word: &str) -> Self {
        match word {
            word if CANCEL.contains(&word) => Self::Cancel,
            word if CONFIRM.contains(&word) => Self::Confirm,
            word if START.contains(&word) => Self::Start,
            _ => Self::Other,
        }
    }
}

/// An accent that is written apart from its letter, as some telephones do.
fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> (u32, u32, Alphabet) {
        let Segments { count, units, alphabet } = segments(text);
        (count, units, alphabet)
    }

    #[test]
    fn a_text_is_counted_as_networks_do() {
        use Alphabet::{Gsm7, Ucs2};
        assert_eq!(BASIC.chars().count(), 127, "and the escape");
        for (text, counted) in [
            (String::new(), (1, 0, Gsm7)),
            ("a".repeat(160), (1, 160, Gsm7)),
            ("a".repeat(161), (2, 161, Gsm7)),
            ("a".repeat(306), (2, 306, Gsm7)),
            ("a".repeat(307), (3, 307, Gsm7)),
            ("€".repeat(80), (1, 160, Gsm7)),
            ("€".repeat(81), (2, 162, Gsm7)),
            // 76 of them in a part, and a septet is left over.
            ("€".repeat(152), (2, 304, Gsm7)),
            ("€".repeat(153), (3, 306, Gsm7)),
            ("ê".repeat(70), (1, 70, Ucs2)),
            ("ê".repeat(71), (2, 71, Ucs2)),
            ("ê".repeat(134), (2, 134, Ucs2)),
            ("ê".repeat(135), (3, 135, Ucs2)),
            ("😀".repeat(35), (1, 70, Ucs2)),
            ("😀".repeat(36), (2, 72, Ucs2)),
            // 33 of them in a part, and a unit is left over.
            ("😀".repeat(66), (2, 132, Ucs2)),
            ("😀".repeat(67), (3, 134, Ucs2)),
            ("Rappel : rendez-vous demain à 9 h.".into(), (1, 34, Gsm7)),
            ("Rappel : rendez-vous reçu.".into(), (1, 26, Ucs2)),
            ("L’heure".into(), (1, 7, Ucs2)),
        ] {
            assert_eq!(of(&text), counted, "{text}");
        }
    }

    /// Puts parts together as a telephone would have to, one character after another.
    fn parts(text: &str, alphabet: Alphabet) -> Vec<u32> {
        let mut parts = vec![0];
        for width in text.chars().map(|character| alphabet.width(character).unwrap()) {
            let last = parts.last_mut().unwrap();
            if *last + width > alphabet.room().1 {
                parts.push(width);
            } else {
                *last += width;
            }
        }
        parts
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nor_torn(text in "([a-z€é]|[ê😀]|\\PC){0,500}") {
            let counted = segments(&text);
            let (alone, part) = counted.alphabet.room();
            if counted.alphabet == Alphabet::Ucs2 {
                prop_assert_eq!(counted.units as usize, text.encode_utf16().count());
            }
            prop_assert_eq!(counted.count == 1, counted.units <= alone);
            if counted.count > 1 {
                let parts = parts(&text, counted.alphabet);
                prop_assert_eq!(parts.len(), counted.count as usize);
                prop_assert_eq!(parts.iter().sum::<u32>(), counted.units);
                prop_assert!(parts.iter().all(|units| *units <= part));
                // A unit is left over at most, where what comes next takes two.
                prop_assert!(parts[..parts.len() - 1].iter().all(|units| *units >= part - 1));
            }
        }

        #[test]
        fn one_character_more_never_costs_less(text in "[a-z€êé😀]{0,400}", more in "[a-z€êé😀]") {
            let (before, after) = (segments(&text), segments(&format!("{text}{more}")));
            prop_assert!(before.count <= after.count);
            prop_assert!(before.alphabet == Alphabet::Gsm7 || after.alphabet == Alphabet::Ucs2);
        }

        #[test]
        fn whatever_comes_is_understood_or_left_to_people(text in "\\PC{0,200}") {
            Reply::of(&text);
        }

        #[test]
        fn how_it_is_written_makes_no_difference(
            word in proptest::sample::select(vec!["stop", "arrêt", "annuler", "1", "2", "oui", "non", "annulé", "peut-être"]),
            before in "[ \t.!«]{0,4}", after in "[ \n.!?»]{0,4}", upper: bool,
        ) {
            let written = if upper { word.to_uppercase() } else { word.to_owned() };
            prop_assert_eq!(Reply::of(&format!("{before}{written}{after}")), Reply::of(word));
        }
    }

    #[test]
    fn what_people_answer_is_understood() {
        for (reply, texts) in [
            (
                Reply::Stop,
                &[
                    "STOP",
                    "stop",
                    " Stop. ",
                    "ARRET",
                    "Arrêt",
                    "arre\u{302}t",
                    "STOP 36111",
                    "stop sms svp",
                    "Bonjour, STOP",
                    "Bonjour madame, stop !",
                    "svp : arrêtez",
                ][..],
            ),
            (Reply::Start, &["START", " start svp", "Bonjour, START"]),
            (
                Reply::Cancel,
                &[
                    "ANNULER",
                    "annuler",
                    "Annulé",
                    "2",
                    "2.",
                    "NON",
                    "Non merci",
                    "J’annule mon rendez-vous",
                    "Annuler le RDV svp",
                ],
            ),
            (Reply::Confirm, &["1", " 1 ", "OUI", "Oui, je confirme", "ok merci", "Je confirme mon rdv"]),
            (
                Reply::Other,
                &[
                    "",
                    "?",
                    "merci",
                    "bonjour",
                    "12",
                    "1 2",
                    "oui non",
                    "ne pas annuler",
                    "Puis-je annuler ?",
                    "Non, je viens",
                    "je ne peux pas",
                    "ne pas stopper",
                    "mon arrêt de travail",
                    "je travaille non stop",
                    "je reprends le travail",
                    "start ?? 2",
                    "10h ?",
                    "👍",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(Reply::of(text), reply, "{text}");
            }
        }
    }
}
