//! Copies of seals in S3, whose double here is moto.

use super::*;
use crate::support::moto::Moto;

#[tokio::test]
async fn seals_are_copied_to_s3_once_and_locked_and_verify_from_there() {
    let moto = tokio::task::spawn_blocking(Moto::start).await.unwrap();
    let seals = format!("s3://seals/trail?region=us-east-1&endpoint=http://{}&days=3650", moto.address);
    let variables =
        [("CARNET_SEALS", seals.as_str()), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let app = App::on(database::fresh().await, &variables).await;
    let ada = app.patient().await;
    let sealed = Sealed { app, directory: PathBuf::new() };
    sealed.seal().await;
    ada.get("/v1/patients").await.expect(200);
    sealed.seal().await;

    let objects = sealed.app.gateway.ctx.seals.as_ref().unwrap().objects.clone().unwrap();
    let names = objects.names().await.unwrap();
    let in_table = sealed.app.count("select count(*) from audit_seal").await.unsigned_abs();
    assert_eq!(names.first().map(String::as_str), Some("seal-00000000000000000001.txt"));
    let key = sealed.app.gateway.ctx.seals.as_ref().unwrap().key.public();
    let trail = Trail::new(sealed.app.pool().clone(), vec![key], Some(objects.clone()));
    let verify = async || trail.verify(Arc::new(|_, _| {})).await.unwrap();
    let found = verify().await;
    assert_eq!((found.findings.len(), found.copies, found.uncopied), (0, in_table, 0));

    // What is there stays; the same again is done already.
    let first = objects.get(&names[0]).await.unwrap().unwrap();
    objects.put(&names[0], first.clone(), sealed.app.now()).await.unwrap();
    let other = objects.put(&names[0], b"else".to_vec(), sealed.app.now()).await.unwrap_err();
    assert!(other.to_string().contains("says something else"), "{other}");
    assert_eq!(objects.get(&names[0]).await.unwrap(), Some(first));
    assert_eq!(objects.get("seal-99999999999999999999.txt").await.unwrap(), None);

    let path = format!("/seals/trail/{}", names[0]);
    let (head, removed) = tokio::task::spawn_blocking(move || {
        let head = moto.ask("HEAD", &path, "").to_lowercase();
        let version = head.split("x-amz-version-id: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        let removed = moto.ask("DELETE", &format!("{path}?versionId={version}"), "");
        (head, removed)
    })
    .await
    .unwrap();
    let until = head.split("x-amz-object-lock-retain-until-date: ").nth(1).unwrap_or_default();
    assert!(head.contains("x-amz-object-lock-mode: compliance") && until.starts_with("2036-02-2"), "{head}");
    assert!(removed.starts_with("HTTP/1.1 403"), "{removed}");

    // The double is gone with its guard: a store that is away is told as such.
    ada.get("/v1/patients").await.expect(200);
    for _ in 0..400 {
        // Until there is a seal to copy: transactions of other tests may be under way.
        if sealed.app.event("seal-audit", "").await.0 == 503 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("a store that is away was not noticed");
}
