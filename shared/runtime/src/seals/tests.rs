use domain::audit::{GENESIS, Position};

use super::*;

fn seal() -> Seal {
    let at = |transaction| Position { transaction, seq: 0 };
    Seal {
        number: 1,
        from: at(0),
        until: at(7),
        rows: 0,
        first: None,
        last: None,
        previous: GENESIS.into(),
        head: GENESIS.into(),
        marks: marks_digest("").unwrap(),
        sealed_at: "2026-03-02T08:00:00Z".parse().unwrap(),
        key: String::new(),
    }
}

#[test]
fn a_seal_verifies_with_its_own_key_and_as_it_was_signed_only() {
    let key = SealKey::from_base64(&SealKey::generate().unwrap()).unwrap();
    let other = SealKey::from_base64(&SealKey::generate().unwrap()).unwrap();
    let signed = key.sign(seal());
    assert!(key.public().verifies(&signed) && !other.public().verifies(&signed));
    let changed = SignedSeal { seal: Seal { rows: 1, ..signed.seal.clone() }, ..signed };
    assert!(!key.public().verifies(&changed));
}

#[test]
fn without_a_key_of_its_own_one_is_derived_and_it_is_not_that_of_the_tokens() {
    let (signing, master) = crate::keys::Keys::generate().unwrap();
    let read = |seal: Option<&str>| {
        let config = Config::read(|name| match name {
            "CARNET_SIGNING_KEY" => Some(signing.clone()),
            "CARNET_MASTER_KEY" => Some(master.clone()),
            "CARNET_SEAL_KEY" => seal.map(str::to_owned),
            _ => None,
        });
        Seals::new(&config.unwrap()).unwrap().key.public()
    };
    let (derived, own) = (read(None), read(Some(&signing)));
    assert_eq!(derived, read(None));
    assert_ne!(derived, own);
    assert_eq!(PublicKey::from_base64(derived.pem().lines().nth(1).unwrap()).unwrap(), derived);
    assert!(SealKey::from_base64("bm90IGEga2V5").is_err());
}

#[tokio::test]
async fn a_directory_keeps_the_first_copy_of_a_name() {
    let directory = std::env::temp_dir().join(format!("carnet-seals-{}", uuid::Uuid::new_v4()));
    let folder = open(&format!("file://{}", directory.display()), None).unwrap();
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    assert_eq!(folder.names().await.unwrap(), Vec::<String>::new());
    for _ in 0..2 {
        folder.put("b", b"one".to_vec(), now).await.unwrap();
    }
    folder.put("a", b"two".to_vec(), now).await.unwrap();
    assert!(matches!(folder.put("b", b"two".to_vec(), now).await, Err(ObjectsError::Another(name)) if name == "b"));
    assert_eq!(folder.names().await.unwrap(), ["a", "b"]);
    assert_eq!(folder.get("b").await.unwrap().as_deref(), Some(b"one".as_slice()));
    assert_eq!(folder.get("c").await.unwrap(), None);
    assert!(std::fs::metadata(directory.join("a")).unwrap().permissions().readonly());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn an_address_that_is_none_is_told_without_its_secrets() {
    let aws = AwsKey { id: "id".into(), secret: "s3cret".into(), token: None };
    for bad in ["ftp://x", "s3://b", "s3://b?region=r&days=0", "s3://b?region=r&colour=1", "s3://b?region=r&endpoint=x"]
    {
        let error = S3::new(bad, Some(&aws)).err().unwrap().to_string();
        assert!(error.starts_with("CARNET_SEALS: ") && !error.contains("s3cret"), "{bad}: {error}");
    }
    assert!(S3::new("s3://bucket/seals?region=eu-west-3", Some(&aws)).is_ok());
    assert!(S3::new("s3://bucket/seals?region=eu-west-3", None).is_err());
}
