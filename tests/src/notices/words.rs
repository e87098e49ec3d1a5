//! An establishment's own words.

use serde_json::{Value, json};

use super::choices::put;
use super::{booked, subjects};
use crate::support::app::book;
use crate::support::{App, database};

const TEMPLATES: &str = "/v1/notice-templates";

fn mail(subject: Value, body: &str) -> Value {
    json!({"kind": "confirmation", "channel": "email", "language": "fr", "subject": subject, "body": body})
}

/// Every statement of `notice-templates`.
pub async fn walk(app: &App) {
    let administrator = app.staff("administrator-pentes").await;
    let words = mail(Value::Null, "Le {{ date }}.");
    put(&administrator, TEMPLATES, &words).await.expect(200);
    administrator.get(TEMPLATES).await.expect(200);
    let which = json!({"kind": "confirmation", "channel": "email", "language": "fr"});
    administrator.post(&format!("{TEMPLATES}/reset"), &which).await.expect(200);
}

#[tokio::test]
async fn an_establishment_writes_in_its_own_words_and_goes_back_to_the_usual_ones() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let administrator = app.staff("administrator-pentes").await;
    let words = mail(
        json!("Rendez-vous du {{ date }}"),
        "Bonjour,\nVenez dix minutes avant {{ time }} <b>à jeun</b> & reposé.\n{{ place }}, {{ address }}",
    );
    let preview = administrator.post(&format!("{TEMPLATES}/preview"), &words).await.expect(200);
    assert_eq!(preview["subject"], "Rendez-vous du mercredi 30 septembre 2026");
    assert!(preview["body"].as_str().unwrap().contains("12 rue de l’Exemple"), "{preview}");
    assert_eq!(administrator.get(TEMPLATES).await.expect(200)["items"], json!([]), "a preview keeps nothing");
    assert_eq!(put(&administrator, TEMPLATES, &words).await.expect(200)["revision"], 1);
    assert_eq!(put(&administrator, TEMPLATES, &words).await.expect(200)["revision"], 2);
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    booked(&app, &ben).await;
    app.settle().await;
    let mails = app.mails(&ada.email);
    assert!(
        mails[0].subject.starts_with("Rendez-vous du ") && mails[0].subject.contains("2026"),
        "{}",
        mails[0].subject
    );
    let address = appointment["site_address"].as_str().unwrap();
    assert!(mails[0].text.contains("Venez dix minutes avant") && mails[0].text.contains(address), "{}", mails[0].text);
    assert!(mails[0].html.contains("&lt;b&gt;à jeun&lt;"), "what is written is words, not HTML: {}", mails[0].html);
    // Elsewhere nothing has changed.
    assert_eq!(subjects(&app.mails(&ben.email)), ["Votre rendez-vous est confirmé"]);
    let which = json!({"kind": "confirmation", "channel": "email", "language": "fr"});
    for _ in 0..2 {
        let left = administrator.post(&format!("{TEMPLATES}/reset"), &which).await.expect(200);
        assert_eq!(left["items"], json!([]));
    }
    book(&ada, &slots[8]).await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&ada.email)[1].subject, "Votre rendez-vous est confirmé");
}

#[tokio::test]
async fn words_that_tell_too_much_or_are_none_are_refused_with_the_reason() {
    let app = App::start().await;
    let administrator = app.staff("administrator-pentes").await;
    // Two short labels: one that says it all, and one that is the name of a variable.
    for (label, number) in [("ORL", 1_i64), ("Place", 2)] {
        let relabel = "update reason set label_fr = $1 where id = (select r.id from reason r join practice p on p.practitioner_id = r.practitioner_id
              join site s on s.id = p.site_id join membership m on m.establishment_id = s.establishment_id and m.role = 'administrator'
              order by r.id offset $2 limit 1)";
        sqlx::query(relabel).bind(label).bind(number).execute(app.pool()).await.unwrap();
    }
    let label = app
        .sql(
            "select to_jsonb(r.label_fr) from reason r join practice p on p.practitioner_id = r.practitioner_id
              join site s on s.id = p.site_id join establishment e on e.id = s.establishment_id
              join membership m on m.establishment_id = e.id and m.role = 'administrator' limit 1",
        )
        .await;
    let sms = |body: &str| json!({"kind": "reminder", "channel": "sms", "language": "fr", "body": body});
    for (wish, field) in [
        (mail(Value::Null, "Bonjour {{ patient }}"), "body"),
        (mail(Value::Null, "Bonjour {{ colour }}"), "body"),
        (mail(Value::Null, "Bonjour {{ date"), "body"),
        (mail(Value::Null, "https://suivi.example/"), "body"),
        (mail(Value::Null, "Voyez bit.ly/3xYz"), "body"),
        (mail(Value::Null, "Votre consultation O. R. L. du {{ date }}"), "body"),
        (mail(json!("Suivi orl"), "x"), "subject"),
        (mail(Value::Null, ""), "body"),
        (mail(json!("{{ practitioner }}"), "x"), "subject"),
        (mail(json!("a\nb"), "x"), "subject"),
        (mail(Value::Null, &format!("Pour votre {}", label[0].as_str().unwrap().to_uppercase())), "body"),
        (sms("{{ practitioner }}"), "body"),
        (sms(&format!("{} {{{{ link }}}}", "ç".repeat(150))), "body"),
        (json!({"kind": "reminder", "channel": "sms", "language": "fr", "subject": "x", "body": "x"}), "subject"),
        (json!({"kind": "reminder", "channel": "letter", "language": "fr", "body": "x"}), "channel"),
    ] {
        let preview = administrator.post(&format!("{TEMPLATES}/preview"), &wish).await;
        for refused in [put(&administrator, TEMPLATES, &wish).await, preview] {
            assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!(field)), "{wish}");
        }
    }
    // A label is looked for among words, and not within one; the names of what stands there are none.
    for sound in ["Le corlou du {{ date }}", "À {{ place }}"] {
        put(&administrator, TEMPLATES, &mail(Value::Null, sound)).await.expect(200);
    }
    let counted =
        administrator.post(&format!("{TEMPLATES}/preview"), &sms("Rappel {{ date }} {{ link }}")).await.expect(200);
    assert_eq!((&counted["segments"], &counted["alphabet"]), (&json!(1), &json!("gsm7")));
    for name in ["secretary-pentes", "operator"] {
        assert_eq!(app.staff(name).await.get(TEMPLATES).await.problem(403), "forbidden", "{name}");
    }
}

#[tokio::test]
async fn broken_words_of_one_establishment_keep_nobody_from_being_told() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    put(&app.staff("administrator-pentes").await, TEMPLATES, &mail(Value::Null, "Bonjour")).await.expect(200);
    // Words that were sound when they were written, for a release that takes them no longer.
    sqlx::query("update notice_template set body = 'Bonjour {{ {% boom'").execute(app.pool()).await.unwrap();
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    book(&ada, &slots[0]).await.expect(201);
    booked(&app, &ben).await;
    app.settle().await;
    for client in [&ada, &ben] {
        assert_eq!(subjects(&app.mails(&client.email)), ["Votre rendez-vous est confirmé"]);
    }
}

#[tokio::test]
async fn a_preview_counts_the_message_that_is_sent_with_its_link() {
    let link = "/appointments/00000000-0000-0000-0000-000000000000";
    for (site, segments) in [
        ("https://c.example", 1),
        ("https://rendez-vous.centre-hospitalier-universitaire-de-la-ville.example/sante", 2),
    ] {
        let app = App::on(database::fresh().await, &[("PUBLIC_URL", site)]).await;
        let administrator = app.staff("administrator-pentes").await;
        let sms = |body: &str| json!({"kind": "reminder", "channel": "sms", "language": "fr", "body": body});
        for (body, whole) in [
            (
                "Rappel du {{ date }}, {{ time }}, merci de prévenir.",
                format!("Rappel du 30/09, 14h30, merci de prévenir. {site}{link}"),
            ),
            ("Rappel {{ link }} du {{ date }}", format!("Rappel {site}{link} du 30/09")),
        ] {
            let preview = administrator.post(&format!("{TEMPLATES}/preview"), &sms(body)).await.expect(200);
            assert_eq!(
                (&preview["body"], &preview["segments"]),
                (&json!(whole), &json!(domain::sms::segments(&whole).count))
            );
        }
        let preview = administrator.post(&format!("{TEMPLATES}/preview"), &sms(&"a".repeat(90))).await.expect(200);
        assert_eq!(preview["segments"], segments, "{preview}");
        let preview = administrator
            .post(&format!("{TEMPLATES}/preview"), &mail(Value::Null, "Le {{ date }} à {{ time }}."))
            .await;
        assert_eq!(preview.expect(200)["body"], "Le mercredi 30 septembre 2026 à 14 h 30.");
    }
}
