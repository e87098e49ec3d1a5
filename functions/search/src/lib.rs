//! Find practitioners, their pages and their free times.

mod page;
mod practitioners;
mod slots;

use runtime::{Ctx, Function};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "search", manifest: include_str!("../function.yaml"), routes: router, events: None };

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(practitioners::list))
        .routes(routes!(page::read))
        .routes(routes!(page::specialties))
        .routes(routes!(slots::list))
}
