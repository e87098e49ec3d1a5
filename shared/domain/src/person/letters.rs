//! Texts whose letters are what they seem: one form, nothing unseen, no letter dressed up as another.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript as _};

use super::Refused;

/// Marks on one letter at most. Vietnamese needs two beyond what composes, Hebrew and Arabic three.
const MAX_MARKS: usize = 4;

/// Canonical composition (NFC): texts that look the same are the same.
pub fn nfc(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// What shows nothing, turns the direction of what stands around it, or means nothing between people.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        // Zero-width characters, marks and embeddings of direction, separators of lines, invisible operators.
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}'
        // Private use, musical controls, tags, more variation selectors.
        | '\u{E000}'..='\u{F8FF}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

/// The name in one form, or what is wrong with its letters.
pub(super) fn honest(name: &str) -> Result<String, Refused> {
    let name = nfc(&name.chars().map(undressed).collect::<String>());
    if name.chars().any(is_unseen) {
        return Err(Refused("name-unseen"));
    }
    let mut marks = MAX_MARKS + 1;
    for c in name.chars() {
        marks = match c {
            _ if is_combining_mark(c) => marks + 1,
            _ if c.is_alphabetic() => 0,
            // There is nothing here that a mark could stand on.
            _ => MAX_MARKS,
        };
        if is_combining_mark(c) && marks > MAX_MARKS {
            return Err(Refused("name-marks"));
        }
    }
    if name.split(|c: char| !c.is_alphabetic() && !is_combining_mark(c)).any(mixes_lookalikes) {
        return Err(Refused("name-mixed"));
    }
    Ok(name)
}

/// A Latin letter in another dress (𝐀, ﬁ) is the letter. Compatibility is for these alone: in other scripts it takes apart
/// what people write as one.
fn undressed(c: char) -> String {
    let plain: String = c.nfkc().collect();
    let latin = c.is_alphabetic() && plain.chars().all(|c| c.is_alphabetic() && c.script() == Script::Latin);
    if latin { plain } else { c.into() }
}

/// Whether one word takes letters from two of the alphabets whose letters look alike (UTS 39 §5.1).
fn mixes_lookalikes(word: &str) -> bool {
    let alphabets = [Script::Latin, Script::Greek, Script::Cyrillic, Script::Armenian, Script::Cherokee];
    alphabets.iter().filter(|alphabet| word.chars().any(|c| c.script() == **alphabet)).count() > 1
}
