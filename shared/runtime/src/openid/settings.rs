//! Identity providers as the configuration describes them.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::identity::ProviderKind;
use openidconnect::core::CoreJwsSigningAlgorithm as Jws;
use openidconnect::url::{Host, Url};
use serde::Deserialize;

use super::assertion::SigningKey;
use crate::outbound::Trust;

/// What is wrong with the description; never a value of it.
#[derive(Debug, thiserror::Error)]
#[error("OPENID_PROVIDERS: {0}")]
pub struct SettingsError(pub(super) String);

/// One provider of `OPENID_PROVIDERS`, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// In the routes' paths: `psc`, `franceconnect`.
    name: String,
    kind: ProviderKind,
    /// As on a button.
    label: String,
    issuer: String,
    /// Below the issuer.
    #[serde(default = "usual_discovery")]
    discovery: String,
    client_id: String,
    client_secret: Option<String>,
    authentication: Authentication,
    /// PKCS#8 DER in base64, for `private_key_jwt`.
    private_key: Option<String>,
    private_key_id: Option<String>,
    /// PEM: who signs the provider's certificates, instead of whom the system trusts.
    ca_certificate: Option<String>,
    /// PEM: our own certificate with its chain, and its key, for providers that ask for one (mutual TLS).
    client_certificate: Option<String>,
    client_certificate_key: Option<String>,
    redirect_uri: String,
    post_logout_redirect_uri: Option<String>,
    scopes: Vec<String>,
    #[serde(default)]
    acr_values: Vec<String>,
    #[serde(default = "usual_algorithms")]
    id_token_algorithms: Vec<Algorithm>,
    /// When given, `userinfo` must be signed by one of these.
    #[serde(default)]
    userinfo_algorithms: Vec<Algorithm>,
}

fn usual_discovery() -> String {
    ".well-known/openid-configuration".into()
}

fn usual_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256]
}

/// How the client says who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Authentication {
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
}

/// Signatures that may be allowed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    Hs256,
}

impl Algorithm {
    fn jws(self) -> Jws {
        match self {
            Self::Rs256 => Jws::RsaSsaPkcs1V15Sha256,
            Self::Es256 => Jws::EcdsaP256Sha256,
            Self::Hs256 => Jws::HmacSha256,
        }
    }
}

/// One provider, checked.
pub(super) struct Settings {
    pub name: String,
    pub kind: ProviderKind,
    pub label: String,
    pub issuer: String,
    pub discovery: Url,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub authentication: Authentication,
    pub signing: Option<SigningKey>,
    pub redirect_uri: Url,
    pub post_logout_redirect_uri: Option<Url>,
    pub scopes: Vec<String>,
    pub acr_values: Vec<String>,
    pub id_token_algorithms: Vec<Jws>,
    pub userinfo_algorithms: Vec<Jws>,
    /// Development: `http` to this machine itself.
    pub plain: bool,
    /// For the way there; taken once.
    pub trust: Trust,
}

/// The providers of a JSON text.
pub(super) fn parse(text: &str, plain: bool) -> Result<Vec<Settings>, SettingsError> {
    let written: Vec<Written> = serde_json::from_str(text).map_err(|error| {
        // The message may quote a value.
        SettingsError(format!("is not the list it should be (line {}, column {})", error.line(), error.column()))
    })?;
    let providers = written.into_iter().map(|one| checked(one, plain)).collect::<Result<Vec<_>, _>>()?;
    for (n, provider) in providers.iter().enumerate() {
        if providers.iter().skip(n + 1).any(|other| other.name == provider.name) {
            return Err(SettingsError(format!("two are named {}", provider.name)));
        }
    }
    Ok(providers)
}

fn checked(written: Written, plain: bool) -> Result<Settings, SettingsError> {
    let name = written.name;
    let sound = (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !sound {
        return Err(SettingsError("a name is not 1 to 40 lowercase letters, digits and dashes".into()));
    }
    let wrong = |what: &str| SettingsError(format!("{name}: {what}"));
    let url = |text: &str, field: &str| {
        let url = Url::parse(text).ok().filter(|url| is_safe(url, plain));
        url.ok_or_else(|| wrong(&format!("{field} is not an https URL")))
    };
    url(&written.issuer, "issuer")?;
    let discovery = format!("{}/{}", written.issuer.trim_end_matches('/'), written.discovery.trim_start_matches('/'));
    let algorithms = [&written.id_token_algorithms, &written.userinfo_algorithms];
    let symmetric = algorithms.iter().any(|list| list.contains(&Algorithm::Hs256));
    if symmetric && written.client_secret.as_ref().is_none_or(|secret| secret.len() < 32) {
        return Err(wrong("HS256 needs a client_secret of 32 characters or more"));
    }
    if written.id_token_algorithms.is_empty() {
        return Err(wrong("id_token_algorithms is empty"));
    }
    let signing = match (written.authentication, &written.private_key, &written.client_secret) {
        (Authentication::PrivateKeyJwt, Some(key), _) => {
            let der = BASE64.decode(key.trim()).map_err(|_| wrong("private_key is not base64"))?;
            let key = SigningKey::from_pkcs8(&der, written.private_key_id.clone());
            Some(key.ok_or_else(|| wrong("private_key is neither a P-256 nor an RSA key in PKCS#8"))?)
        }
        (Authentication::PrivateKeyJwt, None, _) => return Err(wrong("private_key is missing")),
        (_, _, None) => return Err(wrong("client_secret is missing")),
        _ => None,
    };
    let own = match (&written.client_certificate, &written.client_certificate_key) {
        (Some(chain), Some(key)) => Some((chain.as_str(), key.as_str())),
        (None, None) => None,
        _ => return Err(wrong("client_certificate and client_certificate_key go together")),
    };
    let trust = Trust::from_pem(written.ca_certificate.as_deref(), own);
    Ok(Settings {
        trust: trust.ok_or_else(|| wrong("a certificate or its key is not PEM"))?,
        discovery: url(&discovery, "discovery")?,
        redirect_uri: url(&written.redirect_uri, "redirect_uri")?,
        post_logout_redirect_uri: written
            .post_logout_redirect_uri
            .map(|text| url(&text, "post_logout_redirect_uri"))
            .transpose()?,
        kind: written.kind,
        label: written.label,
        issuer: written.issuer,
        client_id: written.client_id,
        client_secret: written.client_secret,
        authentication: written.authentication,
        signing,
        scopes: written.scopes,
        acr_values: written.acr_values,
        id_token_algorithms: written.id_token_algorithms.into_iter().map(Algorithm::jws).collect(),
        userinfo_algorithms: written.userinfo_algorithms.into_iter().map(Algorithm::jws).collect(),
        plain,
        name,
    })
}

/// `https`; in development also `http` to this machine itself.
pub(super) fn is_safe(url: &Url, plain: bool) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => return false,
    };
    // A password in an address would end in logs.
    let bare = url.username().is_empty() && url.password().is_none();
    bare && (url.scheme() == "https" || (url.scheme() == "http" && plain && loopback))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn described(changes: Value) -> Value {
        let mut provider = json!({
            "name": "psc", "kind": "psc", "label": "Pro Santé Connect", "issuer": "https://auth.example/realms/x",
            "discovery": "/.well-known/wallet-openid-configuration", "client_id": "carnet", "client_secret": "s".repeat(32),
            "authentication": "client_secret_post", "redirect_uri": "https://carnet.example/back", "scopes": ["openid"],
        });
        provider.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        provider
    }

    fn error(changes: Value, plain: bool) -> String {
        parse(&json!([described(changes)]).to_string(), plain).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn discovery_is_below_the_issuer_at_its_own_path() {
        let settings = parse(&json!([described(json!({}))]).to_string(), false).unwrap();
        assert_eq!(
            settings[0].discovery.as_str(),
            "https://auth.example/realms/x/.well-known/wallet-openid-configuration"
        );
        assert_eq!(settings[0].id_token_algorithms, [Jws::RsaSsaPkcs1V15Sha256]);
    }

    #[test]
    fn plain_http_is_for_development_and_this_machine_alone() {
        for issuer in ["http://localhost:1/x", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert_eq!(error(json!({"issuer": issuer}), true), "", "{issuer}");
            assert!(error(json!({"issuer": issuer}), false).contains("issuer is not an https URL"), "{issuer}");
        }
        for issuer in [
            "http://auth.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "x",
            "https://a:b@c.example",
        ] {
            assert!(error(json!({"issuer": issuer}), true).contains("issuer"), "{issuer}");
        }
        assert!(error(json!({"redirect_uri": "javascript:alert(1)"}), true).contains("redirect_uri"));
    }

    #[test]
    fn a_shared_secret_signs_only_when_it_is_one() {
        assert!(error(json!({"id_token_algorithms": ["HS256"], "client_secret": "short"}), false).contains("HS256"));
        assert_eq!(error(json!({"id_token_algorithms": ["HS256"]}), false), "");
        for unknown in ["none", "HS512", "rs256", ""] {
            assert!(error(json!({"id_token_algorithms": [unknown]}), false).contains("is not the list"), "{unknown}");
        }
        assert!(error(json!({"id_token_algorithms": []}), false).contains("empty"));
    }

    #[test]
    fn an_error_names_no_value() {
        let secret = "s3cret-that-nobody-may-read";
        let broken = json!([described(json!({"client_secret": secret, "kind": secret}))]).to_string();
        let error = parse(&broken, false).err().unwrap().to_string();
        assert!(!error.contains(secret), "{error}");
        assert!(self::error(json!({"client_certificate": "x"}), false).contains("go together"));
        assert!(self::error(json!({"ca_certificate": "x"}), false).contains("not PEM"));
        let twice = json!([described(json!({})), described(json!({}))]).to_string();
        assert!(parse(&twice, false).is_err());
        assert!(self::error(json!({"authentication": "private_key_jwt"}), false).contains("private_key is missing"));
        assert!(
            self::error(json!({"authentication": "private_key_jwt", "private_key": "AAAA"}), false)
                .contains("private_key")
        );
    }
}
