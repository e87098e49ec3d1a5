//! What the configuration says of the edge.

use std::path::PathBuf;

use http::{HeaderValue, Uri};

use super::forwarded::Network;
use crate::config::{ConfigError, number};
use crate::faults::Faults;

/// Variables of the edge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TRUSTED_PROXIES`: networks whose `Forwarded` or `X-Forwarded-For` is believed, `10.0.0.0/8,2001:db8::/32` (default
    /// none).
    pub trusted_proxies: Vec<Network>,
    /// `RATE_LIMIT_ADDRESS_PER_MINUTE`: requests of one address, /64 for IPv6, in a minute, over all instances (default
    /// 1200, in development 0; 0: no limit).
    pub rate_address: u32,
    /// `RATE_LIMIT_ACCOUNT_PER_MINUTE`: requests of one account in a minute, over all instances (default 600, in development
    /// 0; 0: no limit).
    pub rate_account: u32,
    /// `CORS_ORIGINS`: sites whose pages may call the API, `https://app.example.fr,…` (default none).
    pub cors_origins: Vec<HeaderValue>,
    /// `TLS_CERTIFICATE`: PEM file with the chain of certificates; with it and `TLS_KEY` the port speaks TLS 1.3 and nothing
    /// else. Both files are read again when they change, and at SIGHUP.
    pub tls_certificate: Option<PathBuf>,
    /// `TLS_KEY`: PEM file with the private key of the certificate.
    pub tls_key: Option<PathBuf>,
    /// `MAX_CONNECTIONS`: connections of the public port at most (default 4096). Keep it below the limit of open files.
    pub max_connections: usize,
}

impl Settings {
    pub(crate) fn read(get: &impl Fn(&str) -> Option<String>, development: bool, faults: &mut Faults) -> Self {
        // Load comes from one address, and from few accounts.
        let rate = |production| if development { 0 } else { production };
        let mut count = |name| faults.note(number(get, name)).flatten();
        let (address, account) = (count("RATE_LIMIT_ADDRESS_PER_MINUTE"), count("RATE_LIMIT_ACCOUNT_PER_MINUTE"));
        let settings = Self {
            trusted_proxies: faults.note(list(get, "TRUSTED_PROXIES", str::parse)).unwrap_or_default(),
            rate_address: address.unwrap_or(rate(1200)),
            rate_account: account.unwrap_or(rate(600)),
            cors_origins: faults.note(list(get, "CORS_ORIGINS", origin)).unwrap_or_default(),
            tls_certificate: get("TLS_CERTIFICATE").map(PathBuf::from),
            tls_key: get("TLS_KEY").map(PathBuf::from),
            max_connections: faults.note(number(get, "MAX_CONNECTIONS")).flatten().unwrap_or(4096),
        };
        match (&settings.tls_certificate, &settings.tls_key) {
            (Some(_), None) => faults.add(ConfigError::new("TLS_KEY", "is missing beside TLS_CERTIFICATE")),
            (None, Some(_)) => faults.add(ConfigError::new("TLS_CERTIFICATE", "is missing beside TLS_KEY")),
            _ => {}
        }
        if settings.max_connections == 0 {
            faults.add(ConfigError::new("MAX_CONNECTIONS", "is not a number in range"));
        }
        settings
    }
}

fn list<T>(
    get: &impl Fn(&str) -> Option<String>, variable: &'static str, parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, ConfigError> {
    let text = get(variable).unwrap_or_default();
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| parse(item).map_err(|problem| ConfigError::new(variable, problem))).collect()
}

/// Scheme, host and perhaps a port, as a browser writes it (RFC 6454 §6.2); neither `*` nor `null`.
fn origin(text: &str) -> Result<HeaderValue, &'static str> {
    let wrong = "is not a list of origins such as https://app.example.fr";
    let uri: Uri = text.parse().map_err(|_| wrong)?;
    let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let written = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    let sound = matches!(uri.scheme_str(), Some("https" | "http")) && !authority.contains('@') && written == text;
    if !sound || text != text.to_ascii_lowercase() {
        return Err(wrong);
    }
    HeaderValue::from_str(text).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, crate::faults::Misconfigured> {
        let mut faults = Faults::default();
        let settings = Settings::read(&|asked| (asked == name).then(|| value.to_owned()), false, &mut faults);
        faults.end().map(|()| settings)
    }

    #[test]
    fn what_is_not_understood_is_told_by_its_variable() {
        for (name, value) in [
            ("CORS_ORIGINS", "*"),
            ("CORS_ORIGINS", "null"),
            ("CORS_ORIGINS", "app.example.fr"),
            ("CORS_ORIGINS", "https://app.example.fr/"),
            ("CORS_ORIGINS", "https://App.example.fr"),
            ("CORS_ORIGINS", "https://a@app.example.fr"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
            ("RATE_LIMIT_ADDRESS_PER_MINUTE", "-1"),
            ("MAX_CONNECTIONS", "0"),
        ] {
            let error = read(name, value).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
        assert!(read("TLS_KEY", "key.pem").unwrap_err().to_string().starts_with("TLS_CERTIFICATE"));
        let settings = read("CORS_ORIGINS", "https://app.example.fr, http://localhost:3000").unwrap();
        assert_eq!(settings.cors_origins, ["https://app.example.fr", "http://localhost:3000"]);
        assert_eq!((settings.rate_address, settings.rate_account), (1200, 600));
    }
}
