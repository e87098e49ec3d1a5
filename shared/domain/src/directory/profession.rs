/// What the product does with a profession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profession {
    /// Families take appointments with it. Labels in French and English.
    Care(&'static str, &'static str),
    /// Known, and nobody takes appointments with it here: pharmacists, aides, technicians, social workers.
    Other,
}

/// A profession's code of `TRE_G15` (health), R94 (social), R95 (titles) or R96 (others), as published by ANS in
/// `JDV_J54` of 2026-07; none for a code these did not have.
pub fn profession(code: &str) -> Option<Profession> {
    use Profession::{Care, Other};
    Some(match code {
        "10" => Care("Médecin", "Physician"),
        "26" => Care("Audioprothésiste", "Hearing aid specialist"),
        "40" => Care("Chirurgien-dentiste", "Dentist"),
        "50" => Care("Sage-femme", "Midwife"),
        "60" => Care("Infirmier", "Nurse"),
        "69" => Care("Infirmier psychiatrique", "Psychiatric nurse"),
        "70" => Care("Masseur-kinésithérapeute", "Physiotherapist"),
        "71" => Care("Ostéopathe", "Osteopath"),
        "72" => Care("Psychothérapeute", "Psychotherapist"),
        "73" => Care("Chiropracteur", "Chiropractor"),
        "80" => Care("Pédicure-podologue", "Podiatrist"),
        "91" => Care("Orthophoniste", "Speech therapist"),
        "92" => Care("Orthoptiste", "Orthoptist"),
        "93" => Care("Psychologue", "Psychologist"),
        "94" => Care("Ergothérapeute", "Occupational therapist"),
        "95" => Care("Diététicien", "Dietitian"),
        "96" => Care("Psychomotricien", "Psychomotor therapist"),
        "97" => Care("Conseiller en génétique", "Genetic counsellor"),
        "21" | "28" | "31" | "32" | "35" | "36" | "37" | "38" | "39" | "81" | "82" | "83" | "84" | "85" | "86"
        | "98" => Other,
        "41" | "42" | "43" | "44" | "45" | "46" | "47" | "48" | "49" | "51" | "52" | "53" | "407" | "408" | "409" => {
            Other
        }
        _ => return None,
    })
}
