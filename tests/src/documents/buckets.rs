//! Buckets as operators have them: prepared by the script, one locked, or one that keeps versions.

use std::path::Path;
use std::process::Command;

use super::{bytes_of, deposit, family, report};
use crate::support::moto::Moto;
use crate::support::{App, database};

/// An application whose documents, and what waits in clear, are in those buckets.
async fn app_on(moto: &Moto, documents: &str, uploads: Option<&str>) -> App {
    let url = |bucket: &str| format!("s3://{bucket}?region=us-east-1&endpoint=http://{}", moto.address);
    let (documents, uploads) = (url(documents), uploads.map(url));
    let mut variables = vec![
        ("CARNET_DOCUMENTS", documents.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    variables.extend(uploads.as_deref().map(|url| ("CARNET_UPLOADS", url)));
    App::on(database::fresh().await, &variables).await
}

/// A small document, and one that is sealed in several parts, are deposited and read.
async fn deposited(app: &App) {
    let (mother, child, practitioner) = family(app, "2019-09-01").await;
    for bytes in [b"bonjour".to_vec(), super::bytes::large(9 << 20)] {
        let id = deposit(app, &practitioner, &report(&child, "text/plain", &bytes), &bytes).await;
        super::bytes::judged(app, &practitioner, &id).await;
        assert_eq!(bytes_of(app, &mother, &id).await, bytes);
    }
}

/// Names with the versions that a bucket keeps of them.
fn versions(moto: &Moto, bucket: &str) -> Vec<(String, String)> {
    let answer = moto.ask("GET", &format!("/{bucket}?versions"), "");
    let field = |text: &str, name: &str| {
        let rest = text.split_once(&format!("<{name}>")).map_or("", |it| it.1);
        rest.split_once('<').map_or("", |it| it.0).to_owned()
    };
    answer.split("<Version>").skip(1).map(|version| (field(version, "Key"), field(version, "VersionId"))).collect()
}

#[tokio::test]
async fn buckets_are_prepared_by_the_script_and_what_is_sealed_is_locked() {
    let moto = Moto::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("infra").join("objects/prepare.sh");
    for _ in 0..2 {
        let mut prepare = Command::new("sh");
        prepare.arg(&script).args(["dossiers", "envois", "us-east-1"]).env("AWS", moto.aws());
        prepare.envs([
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("ADMINISTRATOR", "arn:aws:iam::123456789012:role/administrator"),
            ("ORIGIN", "https://carnet.example"),
        ]);
        let said = prepare.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    for (path, wanted) in [
        ("/dossiers?policy", "aws:SecureTransport"),
        ("/dossiers?lifecycle", "<NoncurrentDays>36<"),
        ("/envois?lifecycle", "<Days>30<"),
        ("/envois?cors", "https://carnet.example"),
    ] {
        let answer = moto.ask("GET", path, "");
        assert!(answer.contains(wanted), "{path}: {answer}");
    }
    // The double takes a rule that denies something for one that denies it always: it knows no conditions.
    for bucket in ["dossiers", "envois"] {
        moto.ask("DELETE", &format!("/{bucket}?policy"), "");
    }
    deposited(&app_on(&moto, "dossiers", Some("envois")).await).await;
    let kept = versions(&moto, "dossiers");
    assert!(kept.len() >= 4, "content and words of two documents: {kept:?}");
    assert!(kept.iter().all(|(name, _)| name.starts_with("documents/")), "{kept:?}");
    let locked = kept.iter().filter(|(name, version)| {
        moto.ask("DELETE", &format!("/dossiers/{name}?versionId={version}"), "").starts_with("HTTP/1.1 403")
    });
    // The double locks what is written at once, and nothing that comes in parts; AWS all of it (S3 User Guide, "Object Lock").
    assert!(locked.count() >= 2, "content and words of the small one");
    assert_eq!(versions(&moto, "envois"), [], "nothing in clear is left");
}

#[tokio::test]
async fn of_what_came_in_clear_no_version_is_left_where_a_bucket_keeps_versions() {
    let moto = Moto::start();
    moto.ask("PUT", "/dossiers", "");
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    moto.ask_with("PUT", "/dossiers?versioning", "", on);
    deposited(&app_on(&moto, "dossiers", None).await).await;
    let kept = versions(&moto, "dossiers");
    assert!(!kept.is_empty());
    assert!(kept.iter().all(|(name, _)| name.starts_with("documents/")), "{kept:?}");
}
