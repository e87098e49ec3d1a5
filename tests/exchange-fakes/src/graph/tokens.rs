//! Tokens without a directory: for tests of what uses them.

use std::sync::Mutex;

use exchange::auth::Tokens;
use exchange::{Answer, Fault, Why};

use super::Graph;

/// Tokens straight from the fake, kept until one is refused.
pub struct Straight {
    graph: Graph,
    kept: Mutex<Option<String>>,
}

impl Straight {
    /// Those of that Graph.
    pub fn new(graph: Graph) -> Self {
        Self { graph, kept: Mutex::default() }
    }
}

impl Tokens for Straight {
    fn get<'a>(&'a self, refused: Option<&'a str>) -> Answer<'a, String> {
        Box::pin(async move {
            let fault = |_| Fault::new(Why::Unauthenticated, "poisoned");
            let mut kept = self.kept.lock().map_err(fault)?;
            if kept.is_none() || kept.as_deref() == refused {
                *kept = Some(self.graph.token());
            }
            Ok(kept.clone().unwrap_or_default())
        })
    }
}
