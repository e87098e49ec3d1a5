//! Words of an establishment’s own for what people are told.

use axum::Json;
use axum::extract::State;
use domain::notice::{NoticeChannel, NoticeKind, Part, Variable, Words, WordsError};
use domain::sms::{self, Alphabet};
use runtime::page::Page;
use runtime::{Actor, Ctx, Function, Input, Kind, Lang, Problem, told};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "notice-templates", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<NoticeTemplate> = statement!("list");
const KEEP: Statement<NoticeTemplate> = statement!("keep");
const RESET: Statement<Value> = statement!("reset");
const TELLING: Statement<Telling> = statement!("telling");
/// Most parts of a text message: each is paid for.
const MOST_SEGMENTS: u32 = 3;
/// Where `PUBLIC_URL` does not say it: a message is none longer then.
const A_SITE: &str = "https://carnet.example";
/// Something that a link leads to.
const SOMETHING: Uuid = Uuid::nil();

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, keep)).routes(routes!(preview)).routes(routes!(reset))
}

/// Words of an establishment's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct NoticeTemplate {
    kind: NoticeKind,
    channel: NoticeChannel,
    language: Lang,
    /// Of a mail.
    subject: Option<String>,
    body: String,
    revision: i64,
}

/// A label of a reason or a specialty of the house that stands in the words.
#[derive(Debug, Deserialize)]
struct Telling {
    field: String,
    label: String,
}

/// For which notices.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    kind: NoticeKind,
    channel: NoticeChannel,
    language: Lang,
}

/// Words for a kind of notice. `{{ date }}` and `{{ time }}` stand anywhere, `{{ link }}` in every body, `{{ practitioner }}`,
/// `{{ place }}` and `{{ address }}` in the body of a mail; whom and what for it is, is told nowhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemplateWish {
    kind: NoticeKind,
    channel: NoticeChannel,
    language: Lang,
    /// Of a mail; of nothing else. The usual one when not given.
    #[schema(max_length = 100)]
    subject: Option<String>,
    /// Of a mail: at most 2,000 characters, in paragraphs; when, with whom and where stand below in any case. Of a text message: one
    /// line, at most three parts with a long link.
    #[schema(min_length = 1, max_length = 2000)]
    body: String,
}

/// What it will look like.
#[derive(Debug, Serialize, ToSchema)]
struct Preview {
    subject: Option<String>,
    body: String,
    /// Parts of a text message.
    segments: Option<u32>,
    /// `gsm7`, or `ucs2` where one character makes each part less than half as long.
    alphabet: Option<&'static str>,
}

/// Lists the words that are the establishment's own; where there are none, the usual ones are sent.
#[utoipa::path(get, path = "/v1/notice-templates", operation_id = "list_notice_templates", tag = "notices",
    responses((status = 200, body = Page<NoticeTemplate>)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<NoticeTemplate>>, Problem> {
    let items = ctx.db.many(&LIST, params![actor.who(ctx.now())]).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Chooses words for a kind of notice, from the next one on.
#[utoipa::path(put, path = "/v1/notice-templates", operation_id = "keep_notice_template", tag = "notices",
    request_body = TemplateWish, responses((status = 200, body = NoticeTemplate)))]
async fn keep(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<TemplateWish>,
) -> Result<Json<NoticeTemplate>, Problem> {
    let who = actor.who(ctx.now());
    wish.previewed(&ctx, &who).await?;
    let parameters = params![
        who,
        wish.kind.name(),
        wish.channel.name(),
        wish.language.tag(),
        wish.subject.as_deref(),
        wish.body.as_str()
    ];
    Ok(Json(ctx.db.one(&KEEP, parameters).await?))
}

/// Shows what words will look like, with a visit that is made up; refuses what would be refused.
#[utoipa::path(post, path = "/v1/notice-templates/preview", operation_id = "preview_notice_template", tag = "notices",
    request_body = TemplateWish, responses((status = 200, body = Preview)))]
async fn preview(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<TemplateWish>,
) -> Result<Json<Preview>, Problem> {
    wish.previewed(&ctx, &actor.who(ctx.now())).await.map(Json)
}

/// Goes back to the usual words. Said again, it changes nothing.
#[utoipa::path(post, path = "/v1/notice-templates/reset", operation_id = "reset_notice_template", tag = "notices",
    request_body = Which, responses((status = 200, body = Page<NoticeTemplate>)))]
async fn reset(
    State(ctx): State<Ctx>, actor: Actor, Input(which): Input<Which>,
) -> Result<Json<Page<NoticeTemplate>>, Problem> {
    let parameters = params![actor.who(ctx.now()), which.kind.name(), which.channel.name(), which.language.tag()];
    ctx.db.one(&RESET, parameters).await?;
    list(State(ctx), actor).await
}

impl TemplateWish {
    /// What it looks like, if nothing in it tells what somebody comes for.
    ///
    /// # Errors
    /// As [`TemplateWish::written`].
    async fn previewed(&self, ctx: &Ctx, who: &Value) -> Result<Preview, Problem> {
        let preview = self.written(ctx.config.public_url.as_deref())?;
        let looked = params![who.clone(), self.subject.as_deref(), self.body.as_str()];
        match ctx.db.optional(&TELLING, looked).await? {
            None => Ok(preview),
            Some(Telling { field, label }) => {
                Err(Problem::new(Kind::FieldInvalid).field(&field).hint("words-telling").with("label", label))
            }
        }
    }

    /// What it looks like at our site, as the sender writes it.
    ///
    /// # Errors
    /// Names what is at fault in the words, and in which.
    fn written(&self, site: Option<&str>) -> Result<Preview, Problem> {
        let at_fault = |field: &str, error: &WordsError| {
            Problem::new(Kind::FieldInvalid).field(field).hint(error.code()).with("fault", error.to_string())
        };
        let invalid = |field: &str, hint: &str| Problem::new(Kind::FieldInvalid).field(field).hint(hint);
        if self.channel == NoticeChannel::Letter {
            return Err(invalid("channel", "words-channel"));
        }
        if self.subject.is_some() && self.channel != NoticeChannel::Email {
            return Err(invalid("subject", "words-subject"));
        }
        let sample = Sample::of(self, site.unwrap_or(A_SITE));
        let write = |words: &Words| words.write(|variable| sample.get(variable));
        let subject = self.subject.as_deref().map(|subject| Words::parse(subject, Part::Subject)).transpose();
        let subject = subject.map_err(|error| at_fault("subject", &error))?.map(|subject| write(&subject));
        let body = Words::parse(&self.body, Part::Body(self.channel)).map_err(|error| at_fault("body", &error))?;
        let mut body = write(&body);
        // A document has no day: of words that are nothing else, nothing is left.
        if body.trim().is_empty() {
            return Err(at_fault("body", &WordsError::Empty));
        }
        let (mut segments, mut alphabet) = (None, None);
        if self.channel == NoticeChannel::Sms {
            body = told::with_link(body, Some(&sample.link));
            let counted = sms::segments(&body);
            if counted.count > MOST_SEGMENTS {
                return Err(invalid("body", "words-segments"));
            }
            segments = Some(counted.count);
            alphabet = Some(if counted.alphabet == Alphabet::Gsm7 { "gsm7" } else { "ucs2" });
        }
        Ok(Preview { subject, body, segments, alphabet })
    }
}

/// What the names in words stand for, as long as it is like to be.
struct Sample {
    date: String,
    time: String,
    link: String,
}

impl Sample {
    fn of(wish: &TemplateWish, site: &str) -> Self {
        let tell = if wish.channel.rings() { told::in_digits } else { told::in_words };
        let (date, time) = match wish.kind {
            // It has none, and nothing is written where they stand.
            NoticeKind::Document => Default::default(),
            _ => tell(wish.language, told::sample()),
        };
        let link = match wish.kind {
            NoticeKind::Cancellation => format!("{site}/"),
            NoticeKind::Document => format!("{site}/documents/{SOMETHING}"),
            _ => format!("{site}/appointments/{SOMETHING}"),
        };
        Self { date, time, link }
    }

    fn get(&self, variable: Variable) -> &str {
        match variable {
            Variable::Date => &self.date,
            Variable::Time => &self.time,
            Variable::Practitioner => "Dr Camille Exemple",
            Variable::Place => "Maison de santé de l’Exemple",
            Variable::Address => "12 rue de l’Exemple, 69001 Lyon",
            Variable::Link => &self.link,
        }
    }
}
