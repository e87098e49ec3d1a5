//! How an account wants to be told.

use axum::Json;
use axum::extract::State;
use domain::notice::{Channels, Ends, Night, NoticeChannel, Preferences, Steps};
use domain::zone::Zone;
use runtime::{Actor, Ctx, Input, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const PREFERENCES: Statement<Kept> = statement!("preferences");
const CHANGE_PREFERENCES: Statement<Kept> = statement!("change_preferences");

#[derive(Debug, Deserialize)]
struct Kept {
    wishes: Preferences,
    sms_stopped: bool,
    reachable_by: Vec<NoticeChannel>,
}

/// How the caller is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoticePreferences {
    /// In which order channels are tried; the next one when one fails, or a push message was not looked at for three hours. That a
    /// visit was made, changed or called off is told by the others too, after them.
    channels: Vec<NoticeChannel>,
    /// When reminders go out, in minutes before the start, the longest first; none at all for who wants none.
    reminder_steps_minutes: Vec<i64>,
    /// When nothing rings and no reminder comes.
    #[schema(value_type = Option<Ends>)]
    night: Option<Night>,
    /// IANA; of the visit's place when not said.
    time_zone: Option<String>,
    /// Whether they answered STOP to a text message: none goes out any more.
    sms_stopped: bool,
    /// By which of them the caller can be reached today: a text message needs a number that was shown to be theirs.
    reachable_by: Vec<NoticeChannel>,
}

/// How the caller wants to be told; what is not given is as for who never said anything.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreferencesWish {
    #[serde(default)]
    #[schema(value_type = Option<Vec<NoticeChannel>>, min_items = 1, max_items = 3)]
    channels: Channels,
    /// Up to four, each from 30 minutes to 30 days; empty for none. Changes and cancellations are told all the same.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i64>>, max_items = 4)]
    reminder_steps_minutes: Steps,
    /// At most twelve hours; null for none.
    #[serde(default = "Night::usual")]
    #[schema(value_type = Option<Ends>)]
    night: Option<Night>,
    /// IANA.
    #[schema(value_type = Option<String>, max_length = 64)]
    time_zone: Option<Zone>,
    /// False lets text messages come again after a STOP.
    sms_stopped: Option<bool>,
}

impl From<Kept> for NoticePreferences {
    fn from(kept: Kept) -> Self {
        let Preferences { channels, steps, night, time_zone } = kept.wishes;
        Self {
            channels: channels.into(),
            reminder_steps_minutes: steps.as_slice().iter().map(|step| step.minutes()).collect(),
            night,
            time_zone: time_zone.map(|zone| zone.to_string()),
            sms_stopped: kept.sms_stopped,
            reachable_by: kept.reachable_by,
        }
    }
}

/// How the caller is told.
#[utoipa::path(get, path = "/v1/me/notice-preferences", operation_id = "read_notice_preferences", tag = "notices",
    responses((status = 200, body = NoticePreferences)))]
pub(crate) async fn read(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<NoticePreferences>, Problem> {
    let kept = ctx.db.optional(&PREFERENCES, params![actor.who(ctx.now())]).await?;
    Ok(Json(kept.ok_or_else(|| Problem::new(Kind::NotFound))?.into()))
}

/// Chooses how the caller is told, from the next message on.
#[utoipa::path(put, path = "/v1/me/notice-preferences", operation_id = "change_notice_preferences", tag = "notices",
    request_body = PreferencesWish, responses((status = 200, body = NoticePreferences)))]
pub(crate) async fn change(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<PreferencesWish>,
) -> Result<Json<NoticePreferences>, Problem> {
    let PreferencesWish { channels, reminder_steps_minutes, night, time_zone, sms_stopped } = wish;
    let wishes = json!(Preferences { channels, steps: reminder_steps_minutes, night, time_zone });
    let kept = ctx.db.optional(&CHANGE_PREFERENCES, params![actor.who(ctx.now()), wishes, sms_stopped]).await?;
    Ok(Json(kept.ok_or_else(|| Problem::new(Kind::NotFound))?.into()))
}
