//! `just story`: the main job, told against a running gateway, or one of its own on a runtime that is named (`native`,
//! `lambda`), with what really comes back.

use axum::http::Method;
use domain::{SignedDuration, Timestamp};
use runtime::config::Config;
use runtime::host::StartError;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{argument, stage};

/// Finds, books, reads the mails, cancels, and finds the slot free again.
pub(super) async fn run(arguments: &[String], config: &Config) -> Result<(), StartError> {
    let stage = match arguments.first().map(String::as_str) {
        Some("native") => Some(stage::native(config).await?),
        Some("lambda") => Some(stage::lambda(config).await?),
        _ => None,
    };
    let running = || format!("http://127.0.0.1:{}", config.port);
    let own = stage.as_ref().map(|stage| stage.base.clone());
    let base: String = argument(arguments, "url")?.or(own).unwrap_or_else(running);
    tell(&base, &base).await
}

/// The same, on functions at `api` whose database the gateway at `gateway` has too: their mails and the clock are its affair.
///
/// # Errors
/// What was not so.
pub async fn tell(api: &str, gateway: &str) -> Result<(), StartError> {
    let (client, dev) = (Client::new(api), Client::new(gateway));
    dev.send(Method::DELETE, "/dev/clock", None, None).await?;
    let outcome = told(&client, &dev, api == gateway).await;
    // Whatever happened, the machine gets its own time back.
    dev.send(Method::DELETE, "/dev/clock", None, None).await?;
    outcome
}

/// With one clock for both, a day before is late to cancel.
async fn told(client: &Client, dev: &Client, one_clock: bool) -> Result<(), StartError> {
    say("A parent in Lyon looks for a speech therapist (orthophoniste).");
    let found = get(client, "/v1/practitioners?specialty=orthophoniste&place=Lyon&limit=5").await?;
    let practitioner = items(&found).find(|item| !item["next_free"].is_null()).ok_or("nobody is free")?.clone();
    for item in items(&found) {
        say(&format!(
            "   {} — {} — first free: {}",
            text(&item["name"]),
            text(&item["sites"][0]["city"]),
            text(&item["next_free"])
        ));
    }

    say(&format!("\nReal free times of {}:", text(&practitioner["name"])));
    let from = day_after(text(&practitioner["next_free"]))?;
    let slots = get(client, &format!("/v1/slots?practitioner={}&from={from}", text(&practitioner["id"]))).await?;
    let slot = items(&slots).next().ok_or("no slot")?.clone();
    for item in items(&slots).take(4) {
        say(&format!("   {} to {}", text(&item["starts_at"]), text(&item["ends_at"])));
    }

    say("\nShe opens an account, and adds her son.");
    let email = format!("claire.{}@famille.example", Uuid::now_v7().simple());
    let account = json!({"email": email, "password": "une phrase assez longue", "given_name": "Claire",
                         "family_name": "Exemple", "birth_date": "1988-05-12"});
    post(client, "/v1/accounts", &account, 201).await?;
    let parent = sign_in(client, &email).await?;
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let child = post(&parent, "/v1/patients", &child, 201).await?;

    say("She books for him.");
    let key = Uuid::now_v7().to_string();
    let wish = json!({"slot": slot["slot"], "patient": child["id"]});
    let (status, appointment) = parent.send(Method::POST, "/v1/appointments", Some(&wish), Some(&key)).await?;
    expect(status.as_u16() == 201, "the booking", &appointment)?;
    say(&format!(
        "   201 {} {} ({})",
        text(&appointment["status"]),
        text(&appointment["starts_at"]),
        text(&appointment["id"])
    ));
    let (status, again) = parent.send(Method::POST, "/v1/appointments", Some(&wish), Some(&key)).await?;
    expect(status.as_u16() == 201 && again == appointment, "the same key gives the same answer", &again)?;

    let mail = wait_for_mail(dev, &email, "confirmé").await?;
    show_mail("The confirmation, as received", &mail);

    let starts_at: Timestamp = text(&appointment["starts_at"]).parse()?;
    let day_before = starts_at - SignedDuration::from_hours(23);
    say(&format!("\nThe clock is moved to the day before ({day_before})."));
    let (status, answer) = dev.send(Method::PUT, "/dev/clock", Some(&json!({"now": day_before})), None).await?;
    expect(status.is_success(), "the clock", &answer)?;
    show_mail("The reminder, as received", &wait_for_mail(dev, &email, "Rappel").await?);

    if !one_clock {
        dev.send(Method::DELETE, "/dev/clock", None, None).await?;
    }
    say("\nThe child is ill: she signs in again (the token lived ten minutes) and cancels.");
    let parent = sign_in(client, &email).await?;
    let path = format!("/v1/appointments/{}/cancellation", text(&appointment["id"]));
    let cancelled = post(&parent, &path, &json!({"reason": "malade"}), 200).await?;
    expect(cancelled["late"] == one_clock, "whether it is late", &cancelled)?;
    say(&format!("   200 {} late: {}", text(&cancelled["status"]), cancelled["late"]));
    show_mail("The cancellation, as received", &wait_for_mail(dev, &email, "annulé").await?);

    dev.send(Method::DELETE, "/dev/clock", None, None).await?;
    let slots = get(client, &format!("/v1/slots?practitioner={}&from={from}", text(&practitioner["id"]))).await?;
    let free = items(&slots).any(|item| item["slot"] == slot["slot"]);
    expect(free, "the slot is offered again", &slots)?;
    say(&format!("\nThe slot is offered again: {}", text(&slot["starts_at"])));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a story is told on the terminal")]
fn say(words: &str) {
    println!("{words}");
}

fn show_mail(title: &str, mail: &Value) {
    let text = text(&mail["text"])
        .replace("\r\n", "\n")
        .lines()
        .map(|line| format!("   | {line}"))
        .collect::<Vec<_>>()
        .join("\n");
    let files: Vec<&str> =
        mail["attachments"].as_array().into_iter().flatten().map(|file| self::text(&file["name"])).collect();
    say(&format!(
        "\n{title}:\n   To: {}\n   Subject: {}\n{text}\n   Attached: {}",
        self::text(&mail["to"]),
        self::text(&mail["subject"]),
        files.join(", ")
    ));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("—")
}

fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page["items"].as_array().into_iter().flatten()
}

fn day_after(instant: &str) -> Result<String, StartError> {
    // Two days on, so that the reminder has a day before of its own.
    let at: Timestamp = instant.parse()?;
    Ok((at + SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

fn expect(held: bool, what: &str, answer: &Value) -> Result<(), StartError> {
    if held { Ok(()) } else { Err(format!("{what}: not so. Answer: {answer}").into()) }
}

async fn get(client: &Client, path: &str) -> Result<Value, StartError> {
    let (status, answer) = client.send(Method::GET, path, None, None).await?;
    expect(status.is_success(), path, &answer)?;
    Ok(answer)
}

async fn post(client: &Client, path: &str, body: &Value, wanted: u16) -> Result<Value, StartError> {
    let (status, answer) = client.send(Method::POST, path, Some(body), None).await?;
    expect(status.as_u16() == wanted, path, &answer)?;
    Ok(answer)
}

async fn sign_in(client: &Client, email: &str) -> Result<Client, StartError> {
    let session = json!({"email": email, "password": "une phrase assez longue"});
    let session = post(client, "/v1/sessions", &session, 201).await?;
    Ok(client.bearing(text(&session["access_token"])))
}

/// Waits up to a minute, since the emulator of Lambda at times loses a function for 20 s when it starts, for a mail whose subject holds `subject`.
async fn wait_for_mail(client: &Client, to: &str, subject: &str) -> Result<Value, StartError> {
    for _ in 0..600 {
        let mails = get(client, &format!("/dev/mail?to={to}")).await?;
        if let Some(mail) = items(&mails).find(|mail| text(&mail["subject"]).contains(subject)) {
            return Ok(mail.clone());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("no mail about {subject:?} came").into())
}
