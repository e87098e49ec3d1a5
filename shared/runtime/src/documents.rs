//! Documents as clients see them, and the keys of their bytes.

use domain::document::{State, type_of};
use domain::ids::{AppointmentId, DocumentId, PatientId, PractitionerId, SiteId};
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};
use store::shared::OBJECTS_REMOVED;
use store::{Query as _, params};
use utoipa::ToSchema;

use crate::keys::stream::{DataKey, Place};
use crate::keys::{KeyError, Keys};
use crate::{Ctx, Lang};

/// The field that a title is sealed for.
const TITLE: &str = "document.title";
/// The field of what is needed to sign an upload again.
const UPLOAD: &str = "document.upload";

/// A document as `document_document` in the database returns it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, clippy::struct_excessive_bools, reason = "the fields of `Document`, as stored")]
pub struct DocumentRow {
    pub id: DocumentId,
    pub patient: PatientId,
    pub wrapped_key: Option<String>,
    pub title: String,
    pub r#type: String,
    pub act_date: Date,
    pub language: String,
    pub revision: i64,
    pub author_kind: AuthorKind,
    pub author: Option<String>,
    pub practitioner: Option<PractitionerId>,
    pub site: Option<SiteId>,
    pub appointment: Option<AppointmentId>,
    pub created_at: Timestamp,
    pub mine: bool,
    pub withdrawn: bool,
    pub hidden_from_patient: bool,
    pub hidden_from_representatives: bool,
    pub hidden_from_professionals: bool,
    pub shown: Option<VersionRow>,
    pub latest: Option<VersionRow>,
}

/// A version as `document_version_document` returns it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields of `Version`, as stored")]
pub struct VersionRow {
    pub number: u32,
    pub state: State,
    pub refusal: Option<String>,
    pub findings: Vec<String>,
    pub media_type: String,
    pub size_bytes: u64,
    pub pages: Option<u32>,
    pub created_at: Timestamp,
    pub available_at: Option<Timestamp>,
    pub scanned: bool,
    pub signatures_at: Option<Timestamp>,
    pub parts: Vec<String>,
}

/// Who deposited a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The caller, who acts for the patient.
    You,
    /// Somebody who acts for the patient, or the patient.
    Family,
    /// Somebody who works in an establishment.
    Professional,
}

/// A document (FHIR `DocumentReference`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Document {
    id: DocumentId,
    patient: PatientId,
    r#type: DocumentType,
    title: String,
    /// Day of the act it tells of.
    #[schema(value_type = String, format = Date)]
    act_date: Date,
    /// ISO 639.
    language: String,
    author: Author,
    practitioner: Option<PractitionerId>,
    site: Option<SiteId>,
    /// The visit it belongs to.
    appointment: Option<AppointmentId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How it stands: of its latest version while none was ever shown, else of the one that is.
    state: State,
    /// The version that is shown; for its author, while none is, the latest.
    version: Option<Version>,
    /// For its author: a later version than the one that is shown.
    pending: Option<Version>,
    visibility: Visibility,
    /// Grows with every change of what is said here of it.
    revision: i64,
}

/// What kind of document.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct DocumentType {
    /// `JDV_J07`: LOINC, or `TRE_A05`.
    code: String,
    /// In the caller's language.
    label: String,
    /// Whether it says nothing of health.
    administrative: bool,
}

/// Who deposited it.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Author {
    kind: AuthorKind,
    /// Of a professional: the practitioner it is from.
    name: Option<String>,
}

/// Bytes of a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Version {
    number: u32,
    state: State,
    /// Why it was refused, a code, and in words.
    reason: Option<RefusalReason>,
    /// What it is, by its bytes once it is available.
    media_type: String,
    size_bytes: u64,
    pages: Option<u32>,
    /// What was found and let pass: codes such as `external_links`.
    findings: Vec<String>,
    /// What can be had of it beside its content: `preview`, for who deposited it `original` of a
    /// photograph that was rid of its place.
    parts: Vec<String>,
    /// Whether a scanner found no malware in it; its signatures are of that day, where it says of which.
    scanned: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    signatures_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    available_at: Option<Timestamp>,
}

/// Why bytes were refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct RefusalReason {
    code: String,
    title: String,
}

/// Whom it is kept from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Visibility {
    /// `INVISIBLE_PATIENT`: until its author has announced it.
    hidden_from_patient: bool,
    /// `INVISIBLE_REPRESENTANTS_LEGAUX`: from those who act for a minor.
    hidden_from_representatives: bool,
    /// `MASQUE_PS`: from professionals but its author and the attending physician.
    hidden_from_professionals: bool,
}

impl VersionRow {
    /// As who deposited the document sees it, or somebody else.
    fn view(self, lang: Lang, mine: bool) -> Version {
        let reason = self.refusal.map(|code| RefusalReason {
            title: crate::texts::text(lang, &format!("document-refused-{}", code.replace('_', "-")), &[]),
            code,
        });
        Version {
            number: self.number,
            state: self.state,
            reason,
            media_type: self.media_type,
            size_bytes: self.size_bytes,
            pages: self.pages,
            findings: self.findings,
            parts: self.parts.into_iter().filter(|part| part == "preview" || (mine && part == "original")).collect(),
            scanned: self.scanned,
            signatures_at: self.signatures_at,
            created_at: self.created_at,
            available_at: self.available_at,
        }
    }
}

impl DocumentRow {
    /// What it is called.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn title(&self, keys: &Keys) -> Result<String, KeyError> {
        open_title(keys, self.patient, self.wrapped_key.as_deref(), self.id, &self.title).await
    }

    /// How it stands.
    pub fn state(&self) -> State {
        match (&self.shown, &self.latest) {
            _ if self.withdrawn => State::Withdrawn,
            (Some(_), _) => State::Available,
            (None, Some(latest)) => latest.state,
            (None, None) => State::Checking,
        }
    }

    /// Opened, as the caller sees it.
    ///
    /// # Errors
    /// As [`DocumentRow::title`].
    pub async fn view(self, keys: &Keys, lang: Lang) -> Result<Document, KeyError> {
        let (title, state) = (self.title(keys).await?, self.state());
        let known = type_of(&self.r#type);
        let label = known.map(|it| if lang == Lang::Fr { it.label_fr } else { it.label_en });
        let newer = |latest: &VersionRow| self.shown.as_ref().is_some_and(|shown| latest.number > shown.number);
        let (pending, mine) = (self.latest.clone().filter(newer), self.mine);
        Ok(Document {
            id: self.id,
            patient: self.patient,
            r#type: DocumentType {
                label: label.unwrap_or_default().to_owned(),
                administrative: known.is_some_and(|it| it.administrative),
                code: self.r#type,
            },
            title,
            act_date: self.act_date,
            language: self.language,
            author: Author { kind: self.author_kind, name: self.author },
            practitioner: self.practitioner,
            site: self.site,
            appointment: self.appointment,
            created_at: self.created_at,
            state,
            version: self.shown.or(self.latest).map(|version| version.view(lang, mine)),
            pending: pending.map(|version| version.view(lang, mine)),
            visibility: Visibility {
                hidden_from_patient: self.hidden_from_patient,
                hidden_from_representatives: self.hidden_from_representatives,
                hidden_from_professionals: self.hidden_from_professionals,
            },
            revision: self.revision,
        })
    }
}

/// Seals a title for a document of a patient who has that key.
///
/// # Errors
/// As [`Keys::owner`].
pub async fn seal_title(
    keys: &Keys, patient: PatientId, wrapped_key: Option<&str>, document: DocumentId, title: &str,
) -> Result<String, KeyError> {
    keys.owner(patient, wrapped_key).await?.seal(TITLE, document.as_uuid(), title)
}

/// Opens what [`seal_title`] sealed.
///
/// # Errors
/// As [`Keys::owner`].
pub async fn open_title(
    keys: &Keys, patient: PatientId, wrapped_key: Option<&str>, document: DocumentId, sealed: &str,
) -> Result<String, KeyError> {
    keys.owner(patient, wrapped_key).await?.open(TITLE, document.as_uuid(), sealed)
}

/// Seals the SHA-256 (base64) that an upload is signed for.
///
/// # Errors
/// As [`Keys::owner`].
pub async fn seal_upload(
    keys: &Keys, patient: PatientId, wrapped_key: Option<&str>, document: DocumentId, sha256: &str,
) -> Result<String, KeyError> {
    keys.owner(patient, wrapped_key).await?.seal(UPLOAD, document.as_uuid(), sha256)
}

/// Opens what [`seal_upload`] sealed.
///
/// # Errors
/// As [`Keys::owner`].
pub async fn open_upload(
    keys: &Keys, patient: PatientId, wrapped_key: Option<&str>, document: DocumentId, sealed: &str,
) -> Result<String, KeyError> {
    keys.owner(patient, wrapped_key).await?.open(UPLOAD, document.as_uuid(), sealed)
}

/// The keyed hash by which bytes are known again.
///
/// # Errors
/// As [`Keys::fingerprint`].
pub fn content_hash(keys: &Keys, patient: PatientId, sha256: &[u8]) -> Result<String, KeyError> {
    // Of each patient apart: that two people have the same letter is nobody's affair.
    keys.fingerprint(&[b"document\0".as_slice(), patient.as_uuid().as_bytes(), sha256].concat())
}

/// Where the key of some bytes is bound to.
pub fn place(document: DocumentId, version: u32, part: &str) -> Place {
    Place { document: document.as_uuid(), version, part: part.to_owned() }
}

/// The key of some bytes.
///
/// # Errors
/// As [`Keys::owner`].
pub async fn data_key(
    keys: &Keys, patient: PatientId, wrapped_key: Option<&str>, place: Place, wrapped: &str,
) -> Result<DataKey, KeyError> {
    keys.owner(patient, wrapped_key).await?.data_key(place, wrapped)
}

/// A name for bytes in the store: random, under a folder that says only whether they are sealed yet.
///
/// # Errors
/// As [`Keys::random`].
pub fn object_key(keys: &Keys, folder: &str) -> Result<String, KeyError> {
    Ok(format!("{folder}/{}", crate::seals::hex(&keys.random()?[..20])))
}

/// Removes bytes that are to be removed, with what there is of their uploads, and writes down which are gone. What cannot be
/// removed now comes again with the next run of `purge-documents`.
pub async fn remove_objects(ctx: &Ctx, objects: impl IntoIterator<Item = (String, Option<String>)>) -> usize {
    let Ok(store) = ctx.objects() else { return 0 };
    let mut gone = Vec::new();
    for (key, upload) in objects {
        let abandoned = match &upload {
            Some(upload) => store.abandon(&key, upload).await,
            None => Ok(()),
        };
        match abandoned.and(store.remove(&key).await) {
            Ok(()) => gone.push(key),
            Err(error) => tracing::warn!(%error, "bytes could not be removed yet"),
        }
    }
    let count = gone.len();
    if let Err(error) = ctx.db.one(&OBJECTS_REMOVED, params![gone, ctx.now()]).await {
        tracing::warn!(%error, "it could not be written down that bytes were removed");
    }
    count
}
