//! The few pages of the gateway itself: what runs and where, and what each problem means.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use runtime::{Kind, Lang, Manifest, Segment, keys, texts};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// What the page that tries the API out may do: its own scripts and styles, in files; pictures that it carries within its
/// styles; the API. It styles elements one by one through the DOM, which no policy forbids.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// `/`, `/docs`, `/problems/{name}`.
pub fn router(manifests: &[Manifest], development: bool) -> Router {
    let home = home(manifests, development);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        hash_of_style(&home)
    );
    // The document is the functions' own, served beside them.
    let docs: Router = SwaggerUi::new("/docs").config(Config::new(["/openapi.json"])).into();
    Router::new()
        .route("/", get(async move || ([(CONTENT_SECURITY_POLICY, policy)], Html(home))))
        .route("/problems/{name}", get(problem))
        .merge(docs.layer(map_response(async |mut response: Response| {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
            response
        })))
}

/// SHA-256 of the page's one style element, as a policy names it.
fn hash_of_style(page: &str) -> String {
    let style =
        page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).map_or("", |(style, _)| style);
    // `digest` is the same in the url-safe alphabet, without the padding.
    format!("{}=", keys::digest(style.as_bytes()).replace('-', "+").replace('_', "/"))
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
        "<li><a href=\"/dev/mail\">Courriels et SMS envoyés</a> (développement)</li>\
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
