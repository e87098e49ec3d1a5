//! Calendars of practitioners that are kept by Exchange: how each is reached, and one turn of bringing it together with our agenda.

mod booking;
mod following;
mod ledger;
pub mod listening;
mod settings;
mod turn;
mod variables;
mod watching;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::Timestamp;
use domain::ids::ExchangeServerId;
use exchange::auth::Tokens;
use exchange::ews::Route;
use exchange::ews::session::Session;
use exchange::{Fault, Transport, Why};

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::exchange::{Settings as WaySettings, Way};

pub use booking::{DEADLINE, ask};
pub use settings::{Address, EwsSignIn, Opened, Settings, SettingsError, address_lookup};
pub use turn::{Claimed, LEASE, Mode, TURN, Turn, claim, work};
pub use variables::Variables;

/// Where the services of Microsoft are, for all the world but the clouds of some states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online {
    /// Microsoft Graph, with its version.
    pub graph: String,
    /// Entra ID.
    pub entra: String,
}

impl Default for Online {
    fn default() -> Self {
        Self { graph: exchange::graph::GLOBAL.into(), entra: exchange::auth::tokens::ENTRA.into() }
    }
}

/// The way to calendars of Exchange, with what is kept between two uses: tokens, and connections that have proven themselves.
pub struct Exchange {
    way: WaySettings,
    /// Made when it is first needed: most processes go to no calendar, and reading the system's authorities takes longer than their start.
    transport: OnceLock<Arc<dyn Transport>>,
    online: Online,
    clock: Arc<Clock>,
    tokens: Mutex<HashMap<String, Arc<dyn Tokens>>>,
    sessions: Mutex<HashMap<String, Arc<dyn Session>>>,
    /// Where the subscriptions of a server's mailboxes live.
    routes: Mutex<HashMap<String, Arc<Route>>>,
}

/// Most tokens and sessions that are kept; then all are made anew.
const KEPT: usize = 256;

impl Exchange {
    /// As the configuration says.
    ///
    /// # Errors
    /// Names the variable that is wrong.
    pub fn of(config: &Config, clock: Arc<Clock>) -> Result<Self, ConfigError> {
        let wrong = |problem| ConfigError::new("EXCHANGE_CA", problem);
        let authorities = config.calendars.ca.as_ref().map(std::fs::read_to_string).transpose();
        let authorities = authorities.map_err(|_| wrong("is not a file that can be read"))?;
        let way = WaySettings { networks: config.calendars.networks.clone(), authorities };
        if way.authorities.is_some() {
            Way::new(&way).map_err(|_| wrong("is not certificates in PEM"))?;
        }
        let known = Online::default();
        let online = Online {
            graph: config.calendars.graph_url.clone().unwrap_or(known.graph),
            entra: config.calendars.login_url.clone().unwrap_or(known.entra),
        };
        let (transport, tokens, sessions) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Ok(Self { way, transport, online, clock, tokens, sessions, routes: Mutex::default() })
    }

    fn transport(&self) -> Result<Arc<dyn Transport>, Fault> {
        if let Some(transport) = self.transport.get() {
            return Ok(transport.clone());
        }
        let made = Way::new(&self.way).map_err(|error| Fault::new(Why::Unavailable, error.to_string()))?;
        Ok(self.transport.get_or_init(|| Arc::new(made)).clone())
    }

    /// The one way that is taken to what is said of all mailboxes of a server together; by that of `address` if there is none yet.
    fn route(&self, server: ExchangeServerId, address: &str) -> Arc<Route> {
        let name = server.to_string();
        kept(&self.routes, &name).unwrap_or_else(|| {
            let made = Arc::new(Route::new(address));
            keep(&self.routes, name, &made);
            made
        })
    }

    /// It led nowhere.
    fn forget_route(&self, server: ExchangeServerId) {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).remove(&server.to_string());
    }

    fn now(&self) -> exchange::auth::Now {
        let clock = self.clock.clone();
        Arc::new(move || -> Timestamp { clock.now() })
    }
}

/// What is kept under a name, or what is made now. Two who make it at once both go on with their own.
fn kept<T: ?Sized>(all: &Mutex<HashMap<String, Arc<T>>>, name: &str) -> Option<Arc<T>> {
    all.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

fn keep<T: ?Sized>(all: &Mutex<HashMap<String, Arc<T>>>, name: String, made: &Arc<T>) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= KEPT {
        all.clear();
    }
    all.insert(name, made.clone());
}
