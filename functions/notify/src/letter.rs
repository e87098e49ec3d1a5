//! The words of a notice: text, HTML and calendar entry, in the recipient's language and the place's time.

use domain::Timestamp;
use domain::ids::{DocumentId, NoticeId};
use domain::notice::NoticeKind;
use minijinja::{Environment, context};
use runtime::config::Config;
use runtime::mail::{CalendarMethod, Mail};
use runtime::{Lang, texts};

use crate::{Notice, Recipient, calendar};

/// The mail, or none when there is no address to write to.
///
/// # Errors
/// When a template is broken, which a test forbids.
pub(crate) fn write(notice: &Notice, config: &Config, now: Timestamp) -> Result<Option<Mail>, minijinja::Error> {
    let Some(to) = notice.address.clone() else { return Ok(None) };
    let (lang, kind, appointment) = (notice.language, notice.kind.name(), &notice.appointment);
    let word = |key: &str| texts::text(lang, key, &[]);
    let to_practitioner = notice.recipient_kind == Recipient::Practitioner;
    let cancelled = notice.kind == NoticeKind::Cancellation;
    let prefix = if to_practitioner { "mail-practitioner" } else { "mail" };
    let subject = word(&format!("{prefix}-subject-{kind}"));
    let link = config.public_url.as_ref().map(|base| match (cancelled, to_practitioner) {
        (true, false) => format!("{base}/"),
        _ => format!("{base}/appointments/{}", appointment.id),
    });
    let words = context! {
        lang => lang.tag(), subject => &subject, lead => word(&format!("{prefix}-lead-{kind}")),
        when => when(lang, notice), zone_words => word("mail-zone"),
        // A practitioner needs neither their own name nor address; nobody is told whom it is about.
        with => (!to_practitioner).then_some(&appointment.practitioner_name), with_words => word("mail-with"),
        where => (appointment.channel == "in_person" && !to_practitioner).then_some(&appointment.site_address),
        where_words => word("mail-where"), link => &link, footer => word("mail-footer"),
        manage => word(if to_practitioner { "mail-manage-practitioner" } else if cancelled { "mail-manage-cancelled" } else { "mail-manage" }),
    };
    let method = if cancelled { CalendarMethod::Cancel } else { CalendarMethod::Publish };
    Ok(Some(Mail {
        to,
        subject,
        text: rendered("mail.txt", &words)?,
        html: rendered("mail.html", &words)?,
        calendar: Some((
            calendar::entry(appointment, method, &word("calendar-summary"), link.as_deref(), config, now),
            method,
        )),
        message_id: format!("<{}@{}>", notice.id, config.mail_domain()),
    }))
}

/// That a document is there: neither what it is, nor whose, nor from whom.
///
/// # Errors
/// When a template is broken, which a test forbids.
pub(crate) fn of_document(
    to: String, lang: Lang, document: DocumentId, notice: NoticeId, config: &Config,
) -> Result<Mail, minijinja::Error> {
    let word = |key: &str| texts::text(lang, key, &[]);
    let subject = word("mail-subject-document");
    let link = config.public_url.as_ref().map(|base| format!("{base}/documents/{document}"));
    let words = context! {
        lang => lang.tag(), subject => &subject, lead => word("mail-lead-document"), link => &link,
        footer => word("mail-footer"), manage => word("mail-manage-document"),
    };
    let message_id = format!("<{notice}@{}>", config.mail_domain());
    let (text, html) = (rendered("mail.txt", &words)?, rendered("mail.html", &words)?);
    Ok(Mail { to, subject, text, html, calendar: None, message_id })
}

fn rendered(template: &'static str, words: &minijinja::Value) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.add_template("mail.txt", include_str!("../templates/mail.txt"))?;
    templates.add_template("mail.html", include_str!("../templates/mail.html"))?;
    templates.get_template(template)?.render(words)
}

/// "mardi 3 mars 2026 à 14 h 30", in the time of the place.
fn when(lang: Lang, notice: &Notice) -> String {
    let local = notice.appointment.time_zone.local(notice.appointment.starts_at);
    let word = |key: &str| texts::text(lang, key, &[]);
    let day = if local.day() == 1 { word("date-first") } else { local.day().to_string() };
    let date = texts::text(
        lang,
        "date-long",
        &[
            ("weekday", &word(&format!("weekday-{}", local.weekday().to_monday_one_offset()))),
            ("day", &day),
            ("month", &word(&format!("month-{}", local.month()))),
            ("year", &local.year().to_string()),
        ],
    );
    let minute = format!("{:02}", local.minute());
    let hour = if lang == Lang::Fr { local.hour().to_string() } else { format!("{:02}", local.hour()) };
    let time = texts::text(lang, "time-short", &[("hour", &hour), ("minute", &minute)]);
    texts::text(lang, "mail-when", &[("date", &date), ("time", &time)])
}
