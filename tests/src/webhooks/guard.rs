//! Nothing goes to where strangers must not send us: neither when an address is registered nor when something goes there.

use serde_json::json;

use super::receiver::{Manner, Receiver};
use super::{ALL, administrator, app, change, deliveries, open, path, row, send, tell};
use crate::support::App;
use crate::support::app::book;

#[tokio::test]
async fn an_address_inside_is_refused_and_the_variable_that_would_allow_it_is_named() {
    let (app, receiver) = (App::start().await, Receiver::start().await);
    let port = receiver.address.rsplit(':').next().unwrap();
    let administrator = administrator(&app).await;
    for url in [
        format!("http://127.0.0.1:{port}/hook"),
        format!("https://127.0.0.1:{port}/hook"),
        format!("https://localhost:{port}/hook"),
        format!("https://2130706433:{port}/hook"),
        format!("https://0x7f000001:{port}/hook"),
        format!("https://0177.0.0.1:{port}/hook"),
        format!("https://127.1:{port}/hook"),
        format!("https://[::1]:{port}/hook"),
        format!("https://[::ffff:7f00:1]:{port}/hook"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://10.0.0.1/".into(),
        "https://[fd00:ec2::254]/".into(),
        "https://nowhere.invalid/".into(),
        // Public, but in clear, or another protocol's port.
        "http://9.9.9.9/".into(),
        "https://9.9.9.9:22/".into(),
    ] {
        let refused =
            administrator.clone().speaking("en").post("/v1/webhooks", &json!({"url": url, "events": ALL})).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("url")), "{url}");
        assert!(refused.body["detail"].as_str().unwrap().contains("WEBHOOK_NETWORKS"), "{url}: {}", refused.body);
    }
    let sound =
        administrator.post("/v1/webhooks", &json!({"url": "https://9.9.9.9/hook", "events": ALL})).await.expect(201);
    let inside = change(&administrator, &path(&sound), &json!({"url": "https://127.0.0.1/"})).await;
    assert_eq!(inside.problem(422), "field-invalid");
    assert_eq!(administrator.get("/v1/webhooks").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_address_that_leads_inside_by_now_gets_nothing() {
    let (app, receiver) = (App::start().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    // As if it had led elsewhere when it was registered: names change what they stand for.
    let (https, clear) = (receiver.address.replace("http:", "https:"), &receiver.address);
    for (n, url) in
        [format!("{https}/hook"), format!("{clear}/hook"), https.replace("127.0.0.1", "localhost")].iter().enumerate()
    {
        let (id, _) = row(&app, url, "pentes-plateau", "active").await;
        let webhook = json!({"id": id});
        let sent = administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
        assert_eq!(send(&app).await, 1, "{n}");
        let known = deliveries(&administrator, &webhook).await;
        assert_eq!((&known[0]["id"], &known[0]["tries"][0]["error"]), (&sent["delivery"], &json!("connection")));
    }
    // Told as a name that leads nowhere: whoever registers addresses must not learn which there are inside.
    let (id, _) = row(&app, &format!("{https}/hook"), "pentes-plateau", "unverified").await;
    let refused = administrator.post(&format!("/v1/webhooks/{id}/verification"), &json!({})).await;
    assert_eq!((refused.problem(409), &refused.body["reason"]), ("webhook-unverified", &json!("connection")));
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    let webhook = open(&administrator, &receiver, "/hook").await;
    for (n, to) in [format!("{}/inside", receiver.address), "http://169.254.169.254/latest/meta-data/".into()]
        .into_iter()
        .enumerate()
    {
        receiver.behaves("/hook", Manner::Sends(to));
        book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[n * 8]).await.expect(201);
        tell(&app).await;
        let known = deliveries(&administrator, &webhook).await;
        assert_eq!(
            (&known[0]["state"], &known[0]["tries"][0]["status"]),
            (&json!("waiting"), &json!(302)),
            "{known:#?}"
        );
    }
    assert_eq!(receiver.received("/inside").len(), 0);
}
