//! The words of a letter: text and HTML, in the account's language. The subject says nothing of anybody.

use domain::letter::LetterKind;
use minijinja::{Environment, Error, ErrorKind, context};
use runtime::mail::Mail;
use runtime::{Ctx, texts};

use crate::Letter;

/// The mail.
///
/// # Errors
/// When a template is broken, which a test forbids, or there is no key for links.
pub(crate) fn mail(letter: &Letter, to: String, ctx: &Ctx) -> Result<Mail, minijinja::Error> {
    let (lang, kind) = (letter.language, letter.kind.name());
    let word = |key: &str| texts::text(lang, key, &[]);
    let subject = word(&format!("letter-subject-{kind}"));
    let token = letter.kind.purpose().zip(letter.link_id);
    let token = token.map(|(purpose, id)| ctx.keys.link_token(purpose.name(), id)).transpose();
    let token = token.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    let config = &ctx.config;
    let link = config.public_url.as_ref().map(|base| match &token {
        // After the fragment: neither in a server's log nor told to another site.
        Some(token) => format!("{base}/{kind}#token={token}"),
        None => format!("{base}/{}", page(letter.kind)),
    });
    // Without a site to open, the token itself is all there is.
    let code = token.filter(|_| config.is_development() || link.is_none());
    let words = context! {
        lang => lang.tag(), subject => &subject, link => &link, code => &code, code_words => word("letter-code"),
        lead => word(&format!("letter-lead-{}", letter.what.map_or(kind, |what| what.name()))),
        body => word(&format!("letter-body-{kind}")), action => word(&format!("letter-action-{kind}")),
        footer => word("mail-footer"),
    };
    let mut templates = Environment::new();
    templates.add_template("letter.txt", include_str!("../templates/letter.txt"))?;
    templates.add_template("letter.html", include_str!("../templates/letter.html"))?;
    Ok(Mail {
        to,
        subject,
        text: templates.get_template("letter.txt")?.render(&words)?,
        html: templates.get_template("letter.html")?.render(&words)?,
        calendar: None,
        message_id: format!("<{}@{}>", letter.id, config.mail_domain()),
    })
}

/// Where a letter without a token leads.
fn page(kind: LetterKind) -> &'static str {
    match kind {
        LetterKind::Secured => "sessions",
        LetterKind::Emergency => "access-log",
        LetterKind::WebhookPaused => "webhooks",
        _ => "sign-in",
    }
}
