//! The few pages of the gateway itself: what runs and where, and what each problem means.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use runtime::{Kind, Lang, Manifest, Segment, texts};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// `/`, `/docs`, `/problems/{name}`.
pub fn router(manifests: &[Manifest], development: bool) -> Router {
    let home = home(manifests, development);
    Router::new()
        .route("/", get(async move || Html(home)))
        .route("/problems/{name}", get(problem))
        // The document is the functions' own, served beside them.
        .merge(SwaggerUi::new("/docs").config(Config::new(["/openapi.json"])))
}

fn home(manifests: &[Manifest], development: bool) -> String {
    let rows: String = manifests
        .iter()
        .map(|manifest| {
            let routes: Vec<String> =
                manifest.routes.iter().map(|route| format!("<code>{} {}</code>", route.method, route.path)).collect();
            let topics = manifest.topics.iter().map(|topic| format!("<code>{topic}</code>"));
            let schedule = manifest.schedule.iter().map(|schedule| format!("<code>{schedule}</code> (UTC)"));
            let mut triggers: Vec<String> = routes.into_iter().chain(topics).chain(schedule).collect();
            if triggers.is_empty() {
                triggers.push("à la main".to_owned());
            }
            format!(
                "<tr><th scope=\"row\" lang=\"en\">{}</th><td lang=\"en\">{}</td><td>{}</td></tr>",
                manifest.name,
                manifest.summary,
                triggers.join("<br>")
            )
        })
        .collect();
    let dev = if development {
        "<li><a href=\"/dev/mail\">Courriels envoyés</a> (développement)</li>\
         <li><a href=\"/dev/clock\">Horloge</a> (développement)</li>"
    } else {
        ""
    };
    include_str!("../assets/home.html").replace("{{rows}}", &rows).replace("{{dev}}", dev)
}

/// What a problem means, for whoever follows its `type`.
async fn problem(Segment(name): Segment<String>, lang: Lang) -> Response {
    let Some(kind) = Kind::ALL.iter().find(|kind| kind.slug() == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let title = texts::text(lang, &format!("problem-{}", kind.slug()), &[("field", "…")]);
    let body = serde_json::json!({
        "type": format!("/problems/{}", kind.slug()), "status": kind.status().as_u16(), "title": title, "meaning": kind.meaning(),
    });
    Json(body).into_response()
}
