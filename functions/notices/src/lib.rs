//! How people want to be told, what they were told, and what that cost.

mod history;
mod letters;
mod preferences;
mod statistics;

use runtime::{Ctx, Function};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "notices", manifest: include_str!("../function.yaml"), routes: router, events: None };

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(preferences::read, preferences::change))
        .routes(routes!(history::own))
        .routes(routes!(history::looked_at))
        .routes(routes!(history::of_appointment))
        .routes(routes!(letters::list))
        .routes(routes!(letters::printed))
        .routes(routes!(statistics::read))
}
