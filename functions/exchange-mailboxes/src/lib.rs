//! Calendars of Exchange beside our agendas: connect them, see how they do, decide what is asked.

mod desk;
mod mailboxes;
mod servers;

use runtime::{Ctx, Function};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "exchange-mailboxes", manifest: include_str!("../function.yaml"), routes: router, events: None };

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(servers::list, servers::connect))
        .routes(routes!(servers::remove))
        .routes(routes!(mailboxes::list, mailboxes::connect))
        .routes(routes!(mailboxes::read, mailboxes::change))
        .routes(routes!(desk::pause))
        .routes(routes!(desk::resume))
        .routes(routes!(desk::resync))
        .routes(routes!(desk::disconnect))
        .routes(routes!(desk::questions))
        .routes(routes!(desk::answer))
}
