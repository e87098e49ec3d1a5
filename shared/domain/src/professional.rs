//! The life of a claim to be a professional.

use serde::{Deserialize, Serialize};

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProfessionalState {
    /// Made, and not yet looked at.
    Pending,
    /// An operator has seen who it is.
    Validated,
    /// It is somebody else.
    Refused,
    /// The right to practise is suspended.
    Suspended,
    /// Its account was closed.
    Withdrawn,
}

impl ProfessionalState {
    /// As in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Validated => "validated",
            Self::Refused => "refused",
            Self::Suspended => "suspended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What an operator does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProfessionalVerdict {
    /// It is them.
    Validate,
    /// It is not.
    Refuse,
    /// They may not practise for now.
    Suspend,
    /// They may again.
    Reinstate,
}

impl ProfessionalVerdict {
    /// The past fact that it makes.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Validate => "professional.validated.v1",
            Self::Refuse => "professional.refused.v1",
            Self::Suspend => "professional.suspended.v1",
            Self::Reinstate => "professional.reinstated.v1",
        }
    }

    /// What the claim becomes; none when that cannot be done with it as it stands.
    pub const fn on(self, state: ProfessionalState) -> Option<ProfessionalState> {
        match (state, self) {
            (ProfessionalState::Pending, Self::Validate) | (ProfessionalState::Suspended, Self::Reinstate) => {
                Some(ProfessionalState::Validated)
            }
            (ProfessionalState::Pending, Self::Refuse) => Some(ProfessionalState::Refused),
            (ProfessionalState::Validated, Self::Suspend) => Some(ProfessionalState::Suspended),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_claim_stays_refused_and_only_the_suspended_come_back() {
        for verdict in [
            ProfessionalVerdict::Validate,
            ProfessionalVerdict::Refuse,
            ProfessionalVerdict::Suspend,
            ProfessionalVerdict::Reinstate,
        ] {
            assert_eq!(verdict.on(ProfessionalState::Refused), None);
            assert_eq!(verdict.on(ProfessionalState::Suspended).is_some(), verdict == ProfessionalVerdict::Reinstate);
        }
        assert_eq!(ProfessionalVerdict::Validate.on(ProfessionalState::Pending), Some(ProfessionalState::Validated));
        assert_eq!(
            ProfessionalVerdict::Suspend.on(ProfessionalState::Pending),
            None,
            "who was never validated has nothing to be suspended"
        );
    }
}
