//! Why something is or is not allowed, in words.

use domain::access::{Decision, Relation};

use crate::problem::Why;
use crate::{Lang, texts};

/// A decision in words. Of whom an actor acts for, [`other_agenda`] says more.
pub fn explain(lang: Lang, decision: Decision) -> String {
    let word = |relation: &Relation| texts::text(lang, &format!("relation-{relation}"), &[]);
    match decision {
        Decision::Allowed(relation) => texts::text(lang, "access-allowed", &[("relation", &word(&relation))]),
        Decision::NeedsSecondFactor => texts::text(lang, "access-needs-second-factor", &[]),
        Decision::NotThisRole => texts::text(lang, "access-not-this-role", &[]),
        Decision::NotRelated(relations) => {
            let words: Vec<String> = relations.iter().map(word).collect();
            texts::text(lang, "access-not-related", &[("relations", &words.join(" ; "))])
        }
        // Never told to the professional: see `Kind::NotFound`.
        Decision::Blocked => texts::text(lang, "access-blocked", &[]),
    }
}

/// The text that says that the agenda asked for is not one the actor works for, with its variables. Agendas are public;
/// what is in them is not.
pub fn other_agenda(yours: &[String], theirs: &str) -> Why {
    let theirs = ("theirs", theirs.to_owned());
    if yours.is_empty() {
        ("access-no-agenda", vec![theirs])
    } else {
        ("access-other-agenda", vec![("yours", yours.join(", ")), theirs])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_has_words_in_both_languages() {
        let mut decisions = vec![
            Decision::NeedsSecondFactor,
            Decision::NotThisRole,
            Decision::NotRelated(Relation::ALL),
            Decision::Blocked,
        ];
        decisions.extend(Relation::ALL.iter().copied().map(Decision::Allowed));
        for decision in decisions {
            for (lang, yes, no) in [(Lang::Fr, "autorisé", "refusé"), (Lang::En, "allowed", "refused")] {
                let words = explain(lang, decision);
                assert!(words.starts_with(if decision.is_allowed() { yes } else { no }), "{decision:?}: {words}");
                assert!(!words.contains("relation-") && !words.contains('{'), "{decision:?}: {words}");
            }
        }
    }

    #[test]
    fn a_secretary_is_told_whose_secretary_she_is() {
        let (text, variables) = other_agenda(&["Dr X".to_owned()], "Dr Y");
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(texts::text(Lang::En, text, &variables), "refused: you are attached to Dr X, not to Dr Y");
        assert_eq!(texts::text(Lang::Fr, text, &variables), "refusé : vous êtes rattaché(e) à Dr X, pas à Dr Y");
    }
}
