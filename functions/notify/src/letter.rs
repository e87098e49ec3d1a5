//! The words of a notice, in the recipient's language and the place's time: text, HTML and calendar entry of a mail, and the line of
//! a text message. Never what the visit is for, nor for whom.

use std::sync::LazyLock;

use domain::notice::{NoticeKind, Part, Variable, Words};
use domain::sms::segments;
use domain::{DateTime, Timestamp};
use minijinja::{Environment, Error, Value, context};
use runtime::config::Config;
use runtime::mail::{CalendarMethod, Mail};
use runtime::sms::takes_answers;
use runtime::view::AppointmentRow;
use runtime::{Lang, calendar, texts, told};

use crate::notice::{Notice, Recipient};

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    // A broken one is told when it is used, and a test uses each.
    let _ = templates.add_template("mail.txt", include_str!("../templates/mail.txt"));
    let _ = templates.add_template("mail.html", include_str!("../templates/mail.html"));
    templates
});

/// The mail of one notice, or of the reminders of one day.
///
/// # Errors
/// When a template is broken.
pub(crate) fn mail(notices: &[Notice], to: String, config: &Config, now: Timestamp) -> Result<Mail, Error> {
    let first = notices.first().ok_or_else(|| Error::new(minijinja::ErrorKind::InvalidOperation, "nothing to tell"))?;
    let (lang, to_practitioner) = (first.language, first.recipient_kind == Recipient::Practitioner);
    let word = |key: &str| texts::text(lang, key, &[]);
    let kind = if notices.len() > 1 { "reminders" } else { first.kind.name() };
    // Neither what a document is, nor whose, nor from whom.
    let prefix = if to_practitioner && first.kind != NoticeKind::Document { "mail-practitioner" } else { "mail" };
    let own = own_words(notices, config);
    let subject =
        own.as_ref().and_then(|own| own.subject.clone()).unwrap_or_else(|| word(&format!("{prefix}-subject-{kind}")));
    let lead = if own.is_some() { subject.clone() } else { word(&format!("{prefix}-lead-{kind}")) };
    let paragraphs: Vec<String> =
        own.iter().flat_map(|own| own.body.lines()).filter(|it| !it.trim().is_empty()).map(str::to_owned).collect();
    let visits: Vec<Value> = notices.iter().filter_map(|notice| visit(notice, config)).collect();
    let document =
        first.document.and_then(|document| Some(format!("{}/documents/{document}", config.public_url.as_ref()?)));
    let words = context! {
        lang => lang.tag(), subject => &subject, lead, paragraphs, visits,
        zone_words => word("mail-zone"), with_words => word("mail-with"), where_words => word("mail-where"),
        link => document, footer => word("mail-footer"), manage => word(manage(first)),
    };
    let rendered = |name| TEMPLATES.get_template(name)?.render(&words);
    Ok(Mail {
        to,
        subject,
        text: rendered("mail.txt")?,
        html: rendered("mail.html")?,
        calendar: entry(notices, config, now),
        message_id: format!("<{}@{}>", first.id, config.mail_domain()),
    })
}

/// The establishment's own words, written out. Broken ones are not sent, and keep nobody from being told in the usual words.
struct Written {
    subject: Option<String>,
    body: String,
}

fn own_words(notices: &[Notice], config: &Config) -> Option<Written> {
    let [notice] = notices else { return None };
    let own = notice.words.as_ref()?;
    let values = Values::of(notice, config);
    let write = |text: &str, part| Words::parse(text, part).map(|words| words.write(|variable| values.get(variable)));
    let subject = own.subject.as_deref().map(|subject| write(subject, Part::Subject)).transpose();
    match (subject, write(&own.body, Part::Body(notice.channel))) {
        (Ok(subject), Ok(body)) => Some(Written { subject, body }),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(notice = %notice.id, code = error.code(), "an establishment's own words are broken");
            None
        }
    }
}

/// What the names in words stand for.
#[derive(Default)]
struct Values {
    date: String,
    time: String,
    practitioner: String,
    place: String,
    address: String,
    link: String,
}

impl Values {
    fn of(notice: &Notice, config: &Config) -> Self {
        let Some(appointment) = &notice.appointment else {
            let link = notice.document.and_then(|id| Some(format!("{}/documents/{id}", config.public_url.as_ref()?)));
            return Self { link: link.unwrap_or_default(), ..Self::default() };
        };
        let short = notice.channel.rings();
        let tell = if short { told::in_digits } else { told::in_words };
        let (date, time) = tell(notice.language, local(appointment));
        Self {
            date,
            time,
            practitioner: appointment.practitioner_name.clone(),
            place: appointment.site_name.clone(),
            address: appointment.site_address.clone(),
            link: link(notice, appointment, config).unwrap_or_default(),
        }
    }

    fn get(&self, variable: Variable) -> &str {
        match variable {
            Variable::Date => &self.date,
            Variable::Time => &self.time,
            Variable::Practitioner => &self.practitioner,
            Variable::Place => &self.place,
            Variable::Address => &self.address,
            Variable::Link => &self.link,
        }
    }
}

/// The calendar entry of a notice of one visit.
fn entry(notices: &[Notice], config: &Config, now: Timestamp) -> Option<(String, CalendarMethod)> {
    let [notice] = notices else { return None };
    let appointment = notice.appointment.as_ref()?;
    let method = if notice.kind == NoticeKind::Cancellation { CalendarMethod::Cancel } else { CalendarMethod::Publish };
    let (title, link) = (texts::text(notice.language, "calendar-summary", &[]), link(notice, appointment, config));
    Some((calendar::entry(appointment, method, &title, link.as_deref(), config, now), method))
}

/// A visit as it is told. A practitioner needs neither their own name nor address; nobody is told whom it is about.
fn visit(notice: &Notice, config: &Config) -> Option<Value> {
    let appointment = notice.appointment.as_ref()?;
    let to_family = notice.recipient_kind == Recipient::Account;
    let in_person = appointment.channel == "in_person";
    Some(context! {
        when => when(notice.language, appointment),
        with => to_family.then_some(&appointment.practitioner_name),
        where => (in_person && to_family).then_some(&appointment.site_address),
        link => link(notice, appointment, config),
    })
}

/// To a page that asks who one is.
fn link(notice: &Notice, appointment: &AppointmentRow, config: &Config) -> Option<String> {
    let base = config.public_url.as_ref()?;
    let is_over = notice.kind == NoticeKind::Cancellation && notice.recipient_kind == Recipient::Account;
    Some(if is_over { format!("{base}/") } else { format!("{base}/appointments/{}", appointment.id) })
}

fn manage(notice: &Notice) -> &'static str {
    match (notice.kind, notice.recipient_kind) {
        (NoticeKind::Document, _) => "mail-manage-document",
        (_, Recipient::Practitioner) => "mail-manage-practitioner",
        (NoticeKind::Cancellation, Recipient::Account) => "mail-manage-cancelled",
        _ => "mail-manage",
    }
}

/// "mardi 3 mars 2026 à 14 h 30", in the time of the place.
fn when(lang: Lang, appointment: &AppointmentRow) -> String {
    let (date, time) = told::in_words(lang, local(appointment));
    texts::text(lang, "mail-when", &[("date", &date), ("time", &time)])
}

/// One line for a telephone or a browser, and where its page is.
pub(crate) fn line(notices: &[Notice], config: &Config) -> (String, Option<String>) {
    let Some(first) = notices.first() else { return (String::new(), None) };
    let lang = first.language;
    let link = match (&first.appointment, first.document) {
        (Some(appointment), _) => link(first, appointment, config),
        (None, Some(document)) => config.public_url.as_ref().map(|base| format!("{base}/documents/{document}")),
        (None, None) => None,
    };
    if let Some(own) = own_words(notices, config) {
        let stands = link.as_ref().is_some_and(|link| own.body.contains(link.as_str()));
        return (own.body, link.filter(|_| !stands));
    }
    let visits = notices.iter().filter_map(|notice| notice.appointment.as_ref());
    let (days, hours): (Vec<String>, Vec<String>) = visits.map(|visit| told::in_digits(lang, local(visit))).unzip();
    let day = days.first().map(String::as_str).unwrap_or_default();
    let kind = if notices.len() > 1 { "reminders" } else { first.kind.name() };
    let text = texts::text(lang, &format!("sms-notice-{kind}"), &[("day", day), ("hours", &hours.join(", "))]);
    (text, link)
}

/// The same with the link in it, and with what may be answered, where somebody can answer and it makes the message no longer.
pub(crate) fn sms(notices: &[Notice], config: &Config) -> String {
    let (text, link) = line(notices, config);
    let text = told::with_link(text, link.as_deref());
    let Some(first) = notices.first().filter(|_| takes_answers(config.sms_url.as_deref())) else { return text };
    let can_be_called_off = notices.len() == 1 && first.appointment.is_some() && first.kind != NoticeKind::Cancellation;
    let answers = if can_be_called_off { "sms-answers" } else { "sms-answers-stop" };
    let longer = format!("{text} {}", texts::text(first.language, answers, &[]));
    if segments(&longer).count == 1 { longer } else { text }
}

/// When it begins, where it takes place.
fn local(appointment: &AppointmentRow) -> DateTime {
    appointment.time_zone.local(appointment.starts_at)
}
