//! Every word a person reads, by language: Fluent files under `texts/`.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use crate::Lang;

type Bundle = FluentBundle<FluentResource>;

/// A text with its variables, or `None` when there is none of that name.
pub fn find(lang: Lang, key: &str, args: &[(&str, &str)]) -> Option<String> {
    let bundle = bundle(lang);
    let pattern = bundle.get_message(key)?.value()?;
    let args: FluentArgs = args.iter().map(|(name, value)| (*name, FluentValue::from(*value))).collect();
    let mut errors = Vec::new();
    Some(bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned())
}

/// A text with its variables; its name when it is missing, which a test forbids.
pub fn text(lang: Lang, key: &str, args: &[(&str, &str)]) -> String {
    find(lang, key, args).unwrap_or_else(|| key.to_owned())
}

fn bundle(lang: Lang) -> &'static Bundle {
    static FR: OnceLock<Bundle> = OnceLock::new();
    static EN: OnceLock<Bundle> = OnceLock::new();
    match lang {
        Lang::Fr => FR.get_or_init(|| load("fr", include_str!("../texts/fr.ftl"))),
        Lang::En => EN.get_or_init(|| load("en", include_str!("../texts/en.ftl"))),
    }
}

fn load(tag: &str, source: &str) -> Bundle {
    // A broken entry loses itself only; a test checks that there is none.
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    let mut bundle = Bundle::new_concurrent(vec![tag.parse().unwrap_or_default()]);
    // Marks of direction around variables would end up in plain-text mail.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_texts_and_no_broken_one() {
        let keys = |source: &str| {
            assert!(FluentResource::try_new(source.to_owned()).is_ok());
            let mut keys: Vec<String> = source
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
                .filter_map(|line| line.split_once(" =").map(|(key, _)| key.to_owned()))
                .collect();
            keys.sort();
            keys
        };
        let fr = keys(include_str!("../texts/fr.ftl"));
        assert_eq!(fr, keys(include_str!("../texts/en.ftl")));
        assert!(fr.len() > 40);
    }

    #[test]
    fn every_problem_has_a_title_in_both_languages() {
        for kind in crate::Kind::ALL {
            for lang in [Lang::Fr, Lang::En] {
                assert!(find(lang, &format!("problem-{}", kind.slug()), &[]).is_some(), "{}", kind.slug());
            }
        }
    }
}
