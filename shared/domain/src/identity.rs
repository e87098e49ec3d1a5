//! Who an identity provider says somebody is: professionals by Pro Santé Connect, families by FranceConnect.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::access::Level;
use crate::ids::{EstablishmentId, MembershipId};
use crate::person::{Email, Name};

/// More activities than anybody has; what comes after is not read.
const MOST_ACTIVITIES: usize = 100;

/// What a provider vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProviderKind {
    /// Pro Santé Connect: health professionals, by their CPS card or e-CPS.
    #[serde(rename = "psc")]
    ProSanteConnect,
    /// FranceConnect: everybody, by the accounts they have with the State.
    #[serde(rename = "franceconnect")]
    FranceConnect,
}

impl ProviderKind {
    /// As in the configuration, in `session.method` and in the audit trail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProSanteConnect => "psc",
            Self::FranceConnect => "franceconnect",
        }
    }

    /// How surely known is who signs in through it. Cards and e-CPS are two factors whatever the `acr`; FranceConnect says
    /// `eidas1` (low), `eidas2` or `eidas3`.
    pub fn level(self, acr: Option<&str>) -> Level {
        let substantial = acr.and_then(eidas).is_some_and(|level| level >= 2);
        if self == Self::ProSanteConnect || substantial { Level::Two } else { Level::One }
    }
}

fn eidas(acr: &str) -> Option<u8> {
    acr.strip_prefix("eidas")?.parse().ok().filter(|level| (1..=3).contains(level))
}

/// Whether an authentication is at least one of those asked for: `eidas2` where `eidas1` was.
pub fn acr_suffices(asked: &[String], given: Option<&str>) -> bool {
    asked.is_empty()
        || given.is_some_and(|given| {
            asked
                .iter()
                .any(|asked| asked == given || matches!((eidas(asked), eidas(given)), (Some(a), Some(g)) if g >= a))
        })
}

/// The RPPS within a national identifier of a professional (IDNPS): `8` and eleven digits. Other kinds are opaque.
pub fn rpps(idnps: &str) -> Option<&str> {
    idnps.strip_prefix('8').filter(|rest| rest.len() == 11 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What Pro Santé Connect says of a professional (its `userinfo`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Professional {
    #[serde(rename = "SubjectNameID")]
    name_id: Option<String>,
    #[serde(rename = "SubjectRefPro")]
    references: Option<References>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct References {
    exercices: Vec<Practice>,
}

/// One profession practised, in one or more places.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Practice {
    code_profession: String,
    code_savoir_faire: String,
    activities: Vec<Place>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(rename = "codeModeExercice")]
    mode: String,
    #[serde(rename = "codeSecteurDactivite")]
    sector: String,
    #[serde(rename = "raisonSocialeSite")]
    name: String,
    #[serde(rename = "numeroSiretSite")]
    siret: String,
    #[serde(rename = "numeroFinessSite")]
    finess: String,
    #[serde(rename = "numeroFinessetablissementJuridique")]
    legal_finess: String,
}

/// One place a professional practises at, as Pro Santé Connect knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Activity {
    /// Profession (`TRE_G15`): `10` physician, `60` nurse …
    pub profession: String,
    /// Specialty (`TRE_R38`): `SM54` …
    pub specialty: Option<String>,
    /// `L` self-employed, `S` salaried, `B` voluntary.
    pub mode: Option<String>,
    /// Sector (`TRE_R02`): `SA07` private practice …
    pub sector: Option<String>,
    /// Name of the place.
    pub name: Option<String>,
    /// SIRET of the place.
    pub siret: Option<String>,
    /// FINESS numbers of the place and of whom it belongs to.
    pub finess: Vec<String>,
    /// The membership that this activity is here; none when no establishment here knows it.
    pub membership: Option<MembershipId>,
}

/// In what a professional may act here: a membership under their RPPS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Capacity {
    /// What to choose.
    pub membership: MembershipId,
    /// `practitioner` and so on.
    pub role: String,
    /// Where.
    pub establishment: EstablishmentId,
    /// Its name.
    pub name: String,
    /// Its FINESS number.
    pub finess: Option<String>,
}

impl Professional {
    /// Their RPPS, when that is what identifies them.
    pub fn rpps(&self) -> Option<&str> {
        self.name_id.as_deref().and_then(rpps)
    }

    /// Every activity, with the membership it is here.
    pub fn activities(&self, capacities: &[Capacity]) -> Vec<Activity> {
        let some = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let practices = self.references.iter().flat_map(|references| &references.exercices);
        let places = practices.flat_map(|practice| practice.activities.iter().map(move |place| (practice, place)));
        let activity = |(practice, place): (&Practice, &Place)| {
            let finess: Vec<String> =
                [&place.finess, &place.legal_finess].into_iter().filter_map(|id| some(id)).collect();
            let here =
                capacities.iter().find(|capacity| capacity.finess.as_ref().is_some_and(|id| finess.contains(id)));
            Activity {
                profession: practice.code_profession.clone(),
                specialty: some(&practice.code_savoir_faire),
                mode: some(&place.mode),
                sector: some(&place.sector),
                name: some(&place.name),
                siret: some(&place.siret),
                membership: here.map(|capacity| capacity.membership),
                finess,
            }
        };
        places.take(MOST_ACTIVITIES).map(activity).collect()
    }
}

/// What keeps a professional from acting as one in the session that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The identity is not an RPPS.
    Rpps,
    /// The RPPS is not in the imported directory.
    Directory,
    /// No establishment here counts them among its members.
    Membership,
    /// There are several: one is to be chosen.
    Choice,
}

impl Missing {
    /// What is missing, if anything.
    pub fn of(professional: &Professional, in_directory: bool, capacities: usize) -> Option<Self> {
        match capacities {
            _ if professional.rpps().is_none() => Some(Self::Rpps),
            _ if !in_directory => Some(Self::Directory),
            0 => Some(Self::Membership),
            1 => None,
            _ => Some(Self::Choice),
        }
    }

    /// The stable code, for which there are words.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rpps => "rpps",
            Self::Directory => "directory",
            Self::Membership => "membership",
            Self::Choice => "choice",
        }
    }
}

/// The civil identity that FranceConnect gives (scope `identite_pivot`), as far as an account needs it.
#[derive(Debug, Clone, Deserialize)]
pub struct Pivot {
    /// All given names, in their order.
    pub given_name: Name,
    /// Birth name.
    pub family_name: Name,
    /// Birth date.
    pub birthdate: Date,
    /// Where the person wants to be written to; never what they are recognised by.
    #[serde(default, deserialize_with = "sound_or_none")]
    pub email: Option<Email>,
}

/// An address that no mail would reach is none.
fn sound_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Email>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| Email::try_from(text).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_eight_and_eleven_digits_are_an_rpps() {
        assert_eq!(rpps("899700218896"), Some("99700218896"));
        for other in
            ["", "8", "99700218896", "0899700218896", "89970021889", "8997002188960", "89970021889X", "8٩9700218896"]
        {
            assert_eq!(rpps(other), None, "{other}");
        }
    }

    #[test]
    fn a_higher_assurance_suffices_and_an_unknown_one_does_not() {
        let asked = ["eidas1".to_owned()];
        for good in ["eidas1", "eidas2", "eidas3"] {
            assert!(acr_suffices(&asked, Some(good)), "{good}");
        }
        for bad in [None, Some(""), Some("eidas0"), Some("eidas9"), Some("loa4"), Some("eidas")] {
            assert!(!acr_suffices(&asked, bad), "{bad:?}");
        }
        assert!(!acr_suffices(&["eidas2".to_owned()], Some("eidas1")));
        assert!(acr_suffices(&["loa1".to_owned()], Some("loa1")));
        assert!(acr_suffices(&[], None));
    }

    #[test]
    fn franceconnect_is_one_factor_unless_it_says_more() {
        assert_eq!(ProviderKind::FranceConnect.level(Some("eidas1")), Level::One);
        assert_eq!(ProviderKind::FranceConnect.level(None), Level::One);
        assert_eq!(ProviderKind::FranceConnect.level(Some("eidas2")), Level::Two);
        assert_eq!(ProviderKind::ProSanteConnect.level(Some("eidas1")), Level::Two);
    }

    #[test]
    fn something_is_missing_until_one_capacity_is_left() {
        let known = Professional { name_id: Some("899700218896".into()), ..Professional::default() };
        assert_eq!(Missing::of(&Professional::default(), true, 1), Some(Missing::Rpps));
        assert_eq!(Missing::of(&known, false, 0), Some(Missing::Directory));
        assert_eq!(Missing::of(&known, true, 0), Some(Missing::Membership));
        assert_eq!(Missing::of(&known, true, 1), None);
        assert_eq!(Missing::of(&known, true, 2), Some(Missing::Choice));
    }
}
