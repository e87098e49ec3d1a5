//! Who people are, as it is sealed in the database: contact of an account, identity of a patient.

use domain::Date;
use domain::ids::{AccountId, PatientId};
use domain::person::{Name, fold};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys::{KeyError, Keys, OwnerKey};

const CONTACT: &str = "account.contact";
const PHONE: &str = "account.phone";
const IDENTITY: &str = "patient.identity";
/// How colleagues call a member of an establishment.
pub const MEMBER_NAME: &str = "membership.name";
/// Why an operator decided so on a claim to be a professional.
pub const DECISION_REASON: &str = "professional.reason";

/// How an account's holder is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The address, as typed.
    pub email: String,
    /// The telephone, if one was given when the account was opened; one given since stands beside: [`Telephone`].
    pub phone: Option<String>,
}

impl Contact {
    /// Sealed for a new account: the account's wrapped key, and the text.
    ///
    /// # Errors
    /// As [`Keys::new_owner`].
    pub async fn sealed(&self, keys: &Keys, account: AccountId) -> Result<(String, String), KeyError> {
        let (wrapped, key) = keys.new_owner(account).await?;
        Ok((wrapped, seal(&key, CONTACT, account.as_uuid(), self)?))
    }

    /// Sealed anew for an account that has its key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn resealed(&self, keys: &Keys, account: AccountId, wrapped: &str) -> Result<String, KeyError> {
        seal(&keys.owner(account, Some(wrapped)).await?, CONTACT, account.as_uuid(), self)
    }

    /// Opens an account's.
    ///
    /// # Errors
    /// As [`Keys::owner`] and [`OwnerKey::open`].
    pub async fn open(keys: &Keys, account: AccountId, wrapped: &str, sealed: &str) -> Result<Self, KeyError> {
        open(&keys.owner(account, Some(wrapped)).await?, CONTACT, account.as_uuid(), sealed)
    }
}

/// The telephone of an account's holder, if they gave or removed one since the account was opened. It stands in a column of
/// its own: a change of address that is under way holds a contact of before, and must not bring the former number back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telephone {
    /// The number; none when it was removed.
    pub phone: Option<String>,
}

impl Telephone {
    /// Sealed for an account that has its key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn sealed(&self, keys: &Keys, account: AccountId, wrapped: &str) -> Result<String, KeyError> {
        seal(&keys.owner(account, Some(wrapped)).await?, PHONE, account.as_uuid(), self)
    }

    /// The number of an account: of its telephone where there is one, else of its contact.
    ///
    /// # Errors
    /// As [`Keys::owner`] and [`OwnerKey::open`].
    pub async fn open(
        keys: &Keys, account: AccountId, wrapped: Option<&str>, sealed: Option<&str>, contact: Option<&str>,
    ) -> Result<Self, KeyError> {
        let (Some(wrapped), row) = (wrapped, account.as_uuid()) else { return Ok(Self { phone: None }) };
        let key = keys.owner(account, Some(wrapped)).await?;
        match (sealed, contact) {
            (Some(sealed), _) => open(&key, PHONE, row, sealed),
            (None, Some(contact)) => {
                open(&key, CONTACT, row, contact).map(|contact: Contact| Self { phone: contact.phone })
            }
            (None, None) => Ok(Self { phone: None }),
        }
    }
}

/// Strict traits of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// First given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Birth date.
    pub birth_date: Date,
}

impl Identity {
    /// From what somebody typed.
    pub fn new(given_name: &Name, family_name: &Name, birth_date: Date) -> Self {
        Self { given_name: given_name.as_str().to_owned(), family_name: family_name.as_str().to_owned(), birth_date }
    }

    /// Sealed for a new patient: the patient's wrapped key, and the text.
    ///
    /// # Errors
    /// As [`Keys::new_owner`].
    pub async fn sealed(&self, keys: &Keys, patient: PatientId) -> Result<(String, String), KeyError> {
        let (wrapped, key) = keys.new_owner(patient).await?;
        Ok((wrapped, seal(&key, IDENTITY, patient.as_uuid(), self)?))
    }

    /// Sealed for a patient who has a key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn resealed(&self, keys: &Keys, patient: PatientId, wrapped: &str) -> Result<String, KeyError> {
        seal(&keys.owner(patient, Some(wrapped)).await?, IDENTITY, patient.as_uuid(), self)
    }

    /// Opens a patient's.
    ///
    /// # Errors
    /// As [`Keys::owner`] and [`OwnerKey::open`].
    pub async fn open(keys: &Keys, patient: PatientId, wrapped: &str, sealed: &str) -> Result<Self, KeyError> {
        open(&keys.owner(patient, Some(wrapped)).await?, IDENTITY, patient.as_uuid(), sealed)
    }

    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    /// A keyed hash that is the same for the same person however the names are spelt.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn twin(&self, keys: &Keys) -> Result<String, KeyError> {
        let traits = [fold(&self.given_name), fold(&self.family_name), self.birth_date.to_string()];
        keys.lookup("twin", &traits.join("\0"))
    }
}

/// A patient as a statement returns them (`sealed_person`): the identity still sealed.
#[derive(Debug, Clone, Deserialize)]
pub struct SealedPerson {
    /// Whose.
    pub id: PatientId,
    wrapped_key: Option<String>,
    identity: Option<String>,
}

impl SealedPerson {
    /// Opened; none for whom nothing is known any more.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] when it is not what it should be.
    pub async fn open(&self, keys: &Keys) -> Result<Option<Identity>, KeyError> {
        match (&self.wrapped_key, &self.identity) {
            (Some(wrapped), Some(sealed)) => Ok(Some(Identity::open(keys, self.id, wrapped, sealed).await?)),
            _ => Ok(None),
        }
    }
}

/// What people write about one another, sealed with a key that goes with the row and is destroyed with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SealedWords {
    owner: Uuid,
    wrapped_key: String,
    text: String,
}

impl SealedWords {
    /// Words for a field ([`MEMBER_NAME`], [`DECISION_REASON`]) of the row of that id, under a new key.
    ///
    /// # Errors
    /// As [`Keys::new_owner`].
    pub async fn new(keys: &Keys, field: &str, row: impl Into<Uuid>, words: &str) -> Result<Self, KeyError> {
        let owner = row.into();
        let (wrapped_key, key) = keys.new_owner(owner).await?;
        Ok(Self { owner, wrapped_key, text: key.seal(field, owner, words)? })
    }

    /// The words.
    ///
    /// # Errors
    /// As [`Keys::owner`] and [`OwnerKey::open`].
    pub async fn open(&self, keys: &Keys, field: &str) -> Result<String, KeyError> {
        keys.owner(self.owner, Some(&self.wrapped_key)).await?.open(field, self.owner, &self.text)
    }
}

/// The keyed hash by which a provider's person is found again. Subjects are compared as they are written.
///
/// # Errors
/// As [`Keys::fingerprint`].
pub fn identity_lookup(keys: &Keys, provider: &str, subject: &str) -> Result<String, KeyError> {
    keys.fingerprint(format!("identity\0{provider}\0{subject}").as_bytes())
}

/// What somebody is called, or nothing for whom nothing is known.
///
/// # Errors
/// As [`SealedPerson::open`].
pub async fn name_of(person: Option<&SealedPerson>, keys: &Keys) -> Result<String, KeyError> {
    let Some(person) = person else { return Ok(String::new()) };
    Ok(person.open(keys).await?.map(|identity| identity.name()).unwrap_or_default())
}

fn seal(key: &OwnerKey, field: &str, row: Uuid, value: &impl Serialize) -> Result<String, KeyError> {
    let text = serde_json::to_string(value).map_err(|_| KeyError::Failed("serialise"))?;
    key.seal(field, row, &text)
}

fn open<T: DeserializeOwned>(key: &OwnerKey, field: &str, row: Uuid, sealed: &str) -> Result<T, KeyError> {
    serde_json::from_str(&key.open(field, row, sealed)?).map_err(|_| KeyError::DoesNotOpen)
}
