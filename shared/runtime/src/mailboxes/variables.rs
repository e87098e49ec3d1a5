//! What the configuration says of calendars.

use crate::config::ConfigError;
use crate::faults::Faults;
use crate::outbound::Networks;

/// Variables of calendars.
#[derive(Debug, Clone)]
pub struct Variables {
    /// `EXCHANGE_NETWORKS`: networks besides the public ones in which servers of calendars may be (default none).
    pub networks: Networks,
    /// `EXCHANGE_CA`: a file of authorities in PEM that servers of calendars may show a certificate of, instead of those the system
    /// believes.
    pub ca: Option<String>,
    /// `EXCHANGE_GRAPH_URL`: Microsoft Graph with its version (default that of all the world but the clouds of some states).
    pub graph_url: Option<String>,
    /// `EXCHANGE_LOGIN_URL`: Entra ID (default as for Graph).
    pub login_url: Option<String>,
    /// `EXCHANGE_LISTENING`: whether connections are held over which servers of a house's own tell of changes, `on` (default) or `off`.
    pub listening: bool,
}

impl Variables {
    pub(crate) fn read(get: &impl Fn(&str) -> Option<String>, faults: &mut Faults) -> Self {
        let networks = get("EXCHANGE_NETWORKS").unwrap_or_default().parse();
        let networks = networks.map_err(|problem| ConfigError::new("EXCHANGE_NETWORKS", problem));
        let listening = match get("EXCHANGE_LISTENING").as_deref() {
            None | Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(_) => Err(ConfigError::new("EXCHANGE_LISTENING", "is neither on nor off")),
        };
        Self {
            networks: faults.note(networks).unwrap_or_default(),
            ca: get("EXCHANGE_CA"),
            graph_url: get("EXCHANGE_GRAPH_URL"),
            login_url: get("EXCHANGE_LOGIN_URL"),
            listening: faults.note(listening).unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_is_on_unless_it_is_off() {
        let read = |value: Option<&str>| {
            let mut faults = Faults::default();
            let get = |name: &str| value.filter(|_| name == "EXCHANGE_LISTENING").map(str::to_owned);
            let variables = Variables::read(&get, &mut faults);
            faults.end().map(|()| variables.listening).map_err(|error| error.to_string())
        };
        assert_eq!((read(None), read(Some("on")), read(Some("off"))), (Ok(true), Ok(true), Ok(false)));
        assert_eq!(read(Some("no")), Err("EXCHANGE_LISTENING: is neither on nor off".into()));
    }
}
