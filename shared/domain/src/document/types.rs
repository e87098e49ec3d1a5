//! Types of documents: JDV_J07-XdsTypeCode (OID 1.2.250.1.213.1.1.5.471), LOINC codes and those of `TRE_A05`, from
//! `jeuxDeValeurs/JDV_J07_XdsTypeCode_CISIS.xml` in ansforge/TestContenuCDA-3-0. Labels are shortened where the set spells out
//! what practitioners abbreviate. English ones are ours: the set has none.

use super::DocumentType;

const fn medical(code: &'static str, label_fr: &'static str, label_en: &'static str) -> DocumentType {
    DocumentType { code, label_fr, label_en, administrative: false }
}

const fn administrative(code: &'static str, label_fr: &'static str, label_en: &'static str) -> DocumentType {
    DocumentType { code, label_fr, label_en, administrative: true }
}

/// Every type that a document here may have.
pub const TYPES: &[DocumentType] = &[
    medical("11488-4", "Compte rendu de consultation", "Consultation report"),
    medical("60591-5", "Synthèse médicale", "Patient summary"),
    medical("11369-6", "Historique de vaccinations", "Vaccination history"),
    medical("87273-9", "Note de vaccination", "Vaccination note"),
    medical("11502-2", "Compte rendu d’examens biologiques", "Laboratory report"),
    medical("18748-4", "Compte rendu d’imagerie", "Imaging report"),
    medical("34112-3", "Compte rendu hospitalier", "Hospital report"),
    medical("11490-0", "Lettre de liaison à la sortie", "Discharge letter"),
    medical("57833-6", "Prescription de produits de santé", "Prescription of medicines"),
    medical("57828-6", "Prescription, autre", "Prescription, other"),
    medical("57832-8", "Prescription de soins", "Prescription of care"),
    medical("60593-1", "Dispensation", "Dispensing"),
    medical("89601-9", "Certificat médical", "Medical certificate"),
    medical("96349-6", "Lettre d’adressage", "Referral letter"),
    medical("85208-7", "Compte rendu de télémédecine", "Telemedicine report"),
    medical("75496-0", "Demande de télémédecine", "Telemedicine request"),
    administrative("56446-8", "Notification de rendez-vous", "Appointment notification"),
    medical("59284-0", "Attestation de consentement", "Consent"),
    administrative("51851-4", "Document administratif", "Administrative document"),
    medical("29274-8", "Mesures de signes vitaux", "Vital signs"),
    medical("74465-6", "Questionnaire patient", "Patient questionnaire"),
    medical("15507-7", "Compte rendu de passage aux urgences", "Emergency department report"),
    medical("34874-8", "Compte rendu opératoire", "Surgical report"),
    medical("55115-0", "Demande d’examen d’imagerie", "Imaging request"),
    medical("83869-8", "Plan personnalisé de prévention", "Personal prevention plan"),
    medical("EXPPAT_1", "Expression du patient : volontés et droits", "Patient’s wishes and rights"),
    medical("EXPPAT_2", "Autre document du patient", "Other document of the patient"),
    medical("EXPPAT_3", "Directives anticipées", "Advance directives"),
    medical("PROT_ALD", "Protocole de soins ALD", "Long-term illness protocol"),
    administrative("ATTEST-DROITS-AM", "Attestation de droits à l’assurance maladie", "Proof of health insurance"),
    administrative("PIECE-IDENTITE", "Pièce d’identité", "Identity document"),
    administrative("FICHE-CONTACTS", "Fiche de contacts", "Contacts"),
];
