//! Configuration: environment variables only. An error names the variable, never its value.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::edge::settings::Settings;
use crate::faults::{Faults, Misconfigured};
use crate::mailboxes::Variables;
use crate::outbound::Networks;

/// Where the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine: opens `/dev/*`, makes its own keys.
    Development,
    /// Everywhere else. The default, so that forgetting the variable opens nothing.
    Production,
}

/// Stands for all three of AWS: one is of no use without the others.
const AWS_SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// A variable that is missing or not understood.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    variable: &'static str,
    problem: &'static str,
}

/// Who we are to AWS and what speaks like it.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the three variables")]
pub struct AwsKey {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(variable: &'static str, problem: &'static str) -> Self {
        Self { variable, problem }
    }
}

/// Everything a function can be told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// `CARNET_ENV`: `development` or `production` (default).
    pub environment: Environment,
    /// `DATABASE_URL`; the gateway may do without and start its own PostgreSQL.
    pub database_url: Option<String>,
    /// `DATABASE_POOL`: connections of this process at most (default 8: on two cores more only wait for each other; 1 on AWS
    /// Lambda).
    pub database_pool: u32,
    /// `DATABASE_ROLE`: the role that statements run as (default `carnet_app`, which the migrations make); `none` for the
    /// user of the URL itself.
    pub database_role: Option<String>,
    /// `PORT`: public HTTP (default 8080; 0 lets the system choose).
    pub port: u16,
    /// `BIND`: address to listen on (default 127.0.0.1 in development, 0.0.0.0 otherwise).
    pub bind: String,
    /// `EVENTS_PORT`: internal listener of `/_events/*` (absent: none).
    pub events_port: Option<u16>,
    /// `EVENTS_SECRET`: opens `/_events/*` on the public port to callers who bear it, on platforms that only speak HTTP.
    pub events_secret: Option<String>,
    /// `SMTP_URL`: `smtp://host:port`, `smtps://user:password@host` …; in development the gateway starts a mailbox of its own.
    pub smtp_url: Option<String>,
    /// `MAIL_FROM`: sender of every e-mail.
    pub mail_from: String,
    /// `SMS_URL`: `brevo:SENDER?key=…`, `ovh:SENDER?service=…` or `twilio:SENDER?account=…`, through whom SMS are sent; in
    /// development the gateway plays the provider.
    pub sms_url: Option<String>,
    /// `SMS_COST_MICROEUR`: what one SMS costs, or one credit of who counts credits, in millionths of a euro.
    pub sms_cost_microeur: Option<u64>,
    /// `PUSH_KEY`: private key of P-256, 32 bytes in base64url, by which push services know us; absent: no web push.
    pub push_key: Option<String>,
    /// `PUSH_CONTACT`: `mailto:…` or `https://…`, where push services may reach us (default: the address of `MAIL_FROM`).
    pub push_contact: Option<String>,
    /// `BREACHED_PASSWORDS_URL`: whom to ask whether a new password is known from a breach (k-anonymity); nobody without it.
    pub breached_passwords_url: Option<String>,
    /// `PUBLIC_URL`: base of links in messages, without a final slash; messages hold none without it. Passkeys are bound to
    /// it: without it there are none, but in development, where they are bound to `http://localhost` and the port.
    pub public_url: Option<String>,
    /// `CARNET_STATE`: private directory of a single machine: embedded database, development keys.
    pub state: PathBuf,
    /// `CARNET_SIGNING_KEY`: Ed25519 private key, PKCS#8 DER in base64.
    pub signing_key: Option<String>,
    /// `CARNET_SIGNING_KEYS_BEFORE`: earlier signing keys (PKCS#8), or their public halves, comma-separated: what they
    /// signed is still good. Ten minutes after the change they may go.
    pub signing_keys_before: Option<String>,
    /// `CARNET_VERIFYING_KEYS`: public halves of the keys that sign, comma-separated, for functions that sign nothing.
    pub verifying_keys: Option<String>,
    /// `CARNET_MASTER_KEY`: wraps every person's key: 32 bytes in base64, or `aws-kms:KEY?region=…`, one that never leaves AWS.
    pub master_key: Option<String>,
    /// `CARNET_MASTER_KEYS_BEFORE`: earlier master keys, comma-separated, which still unwrap until `just rotate-keys` is done.
    pub master_keys_before: Option<String>,
    /// `CARNET_LOOKUP_KEY`: 32 bytes in base64; keys the hashes by which addresses are found, and never changes. Without it
    /// the master key does, as long as there was never another one.
    pub lookup_key: Option<String>,
    /// `CARNET_SEAL_KEY`: Ed25519 private key, PKCS#8 DER in base64, that signs the seals of the audit trail; absent: one
    /// derived from the master key.
    pub seal_key: Option<String>,
    /// `CARNET_SEAL_KEYS_BEFORE`: public keys of earlier seal keys, comma-separated, which `just audit-verify` still trusts.
    pub seal_keys_before: Option<String>,
    /// `CARNET_SEALS`: where the seals are copied to: `file:///directory` or `s3://bucket/prefix?region=…`; absent: nowhere,
    /// and in development into the private directory.
    pub seals: Option<String>,
    /// `CARNET_DOCUMENTS`: where the bytes of documents are kept: `s3://bucket/prefix?region=…&endpoint=…&public=…`; absent:
    /// nowhere, and in development on a store that the gateway starts over its private directory.
    pub documents: Option<String>,
    /// `CARNET_UPLOADS`: where what is sent waits in clear until it is judged, the same way; absent: beside the documents. Needed
    /// where that bucket locks what it holds.
    pub uploads: Option<String>,
    /// `CLAMD`: who looks for malware in documents: `unix:/run/clamav/clamd.ctl` or `tcp:host:3310`; absent: nobody, and no
    /// document becomes visible but in development.
    pub clamd: Option<String>,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, as platforms set them: for S3 and KMS.
    pub aws: Option<AwsKey>,
    /// `EMERGENCY_HOURS`: how long an emergency access lasts at most, 1 to 24 (default 4).
    pub emergency_hours: u8,
    /// `OPENID_PROVIDERS`: identity providers as a JSON list, or the path of a file that holds it: `docs/sign-in-with.md`.
    pub openid_providers: Option<String>,
    /// `SUBSCRIPTIONS`: `kind=consumer,…`; who wants which event, where no registry of functions is at hand.
    pub subscriptions: Option<String>,
    /// `CONSUMER_URL`: where events are posted, or the queue they are put into (`aws-sqs:https://…?region=…`), `{consumer}`
    /// standing for the function's name.
    pub consumer_url: Option<String>,
    /// Whether the platform stops the process between requests, as AWS Lambda does (`AWS_LAMBDA_RUNTIME_API`): nothing goes on there
    /// once an answer was given.
    pub stops_between_requests: bool,
    /// `QUEUE_URL`: a queue (`aws-sqs:https://…?region=…`) that a function which runs alone empties by itself.
    pub queue_url: Option<String>,
    /// `CARNET_CLOCK`: in development, the instant that it is when the process starts.
    pub clock: Option<Timestamp>,
    /// `WEBHOOK_NETWORKS`: networks besides the public ones that webhooks may go to, `10.20.0.0/16,…` (default none).
    pub webhook_networks: Networks,
    /// Calendars beside agendas.
    pub calendars: Variables,
    /// What stands before every request.
    pub edges: Settings,
}

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// Names every variable that is not understood.
    pub fn from_env() -> Result<Self, Misconfigured> {
        Self::read(from_environment)
    }

    /// As [`Config::from_env`], with the faults beside it and defaults in their place, for who has more to look at.
    pub fn from_env_with_faults() -> (Self, Faults) {
        Self::read_with_faults(from_environment)
    }

    /// Reads from any source, for tests.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let (config, faults) = Self::read_with_faults(get);
        faults.end().map(|()| config)
    }

    fn read_with_faults(get: impl Fn(&str) -> Option<String>) -> (Self, Faults) {
        let mut faults = Faults::default();
        let environment = match get("CARNET_ENV").as_deref() {
            Some("development") => Environment::Development,
            None | Some("production") => Environment::Production,
            Some(_) => {
                faults.add(ConfigError::new("CARNET_ENV", "is neither development nor production"));
                Environment::Production
            }
        };
        let development = environment == Environment::Development;
        // Each environment of AWS Lambda serves one request at a time.
        let pool = if get("AWS_LAMBDA_RUNTIME_API").is_some() { 1 } else { 8 };
        let clock = get("CARNET_CLOCK").map(|text| match text.parse() {
            Ok(instant) if development => Ok(instant),
            Ok(_) => Err(ConfigError::new("CARNET_CLOCK", "is for development only")),
            Err(_) => Err(ConfigError::new("CARNET_CLOCK", "is not an instant")),
        });
        let hours = match number(&get, "EMERGENCY_HOURS") {
            Ok(Some(hours)) if !(1..=24).contains(&hours) => {
                Err(ConfigError::new("EMERGENCY_HOURS", "is not between 1 and 24"))
            }
            read => read,
        };
        let database_pool = match number(&get, "DATABASE_POOL") {
            Ok(Some(0)) => Err(ConfigError::new("DATABASE_POOL", "is not 1 or more")),
            read => read,
        };
        let plain = |role: &str| role.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
        let odd = ConfigError::new("DATABASE_ROLE", "is not a name of letters, digits and underscores");
        let role = get("DATABASE_ROLE").map(|role| if plain(&role) { Ok(role) } else { Err(odd) });
        let port = faults.note(number(&get, "PORT")).flatten().unwrap_or(8080);
        let events_port = match number(&get, "EVENTS_PORT") {
            Ok(Some(events)) if events == port && port != 0 => {
                Err(ConfigError::new("EVENTS_PORT", "is the same as PORT"))
            }
            read => read,
        };
        let networks = get("WEBHOOK_NETWORKS").unwrap_or_default().parse();
        let networks = networks.map_err(|problem| ConfigError::new("WEBHOOK_NETWORKS", problem));
        let anywhere = if development { "127.0.0.1" } else { "0.0.0.0" };
        let bind = get("BIND").map(|bind| match bind.parse::<std::net::IpAddr>() {
            Ok(_) => Ok(bind),
            Err(_) => Err(ConfigError::new("BIND", "is not an address of this machine, as 0.0.0.0 or ::1")),
        });
        let config = Self {
            environment,
            database_url: get("DATABASE_URL"),
            database_pool: faults.note(database_pool).flatten().unwrap_or(pool),
            database_role: match role.and_then(|role| faults.note(role)) {
                Some(role) if role == "none" => None,
                role => Some(role.unwrap_or_else(|| "carnet_app".into())),
            },
            port,
            bind: bind.and_then(|bind| faults.note(bind)).unwrap_or_else(|| anywhere.into()),
            events_port: faults.note(events_port).flatten(),
            events_secret: get("EVENTS_SECRET"),
            smtp_url: get("SMTP_URL"),
            mail_from: get("MAIL_FROM").unwrap_or_else(|| "Carnet <ne-pas-repondre@carnet.example>".into()),
            sms_url: get("SMS_URL"),
            sms_cost_microeur: faults.note(number(&get, "SMS_COST_MICROEUR")).flatten(),
            push_key: get("PUSH_KEY"),
            push_contact: get("PUSH_CONTACT"),
            breached_passwords_url: get("BREACHED_PASSWORDS_URL"),
            public_url: get("PUBLIC_URL"),
            state: get("CARNET_STATE").map_or_else(|| PathBuf::from(".carnet"), PathBuf::from),
            signing_key: get("CARNET_SIGNING_KEY"),
            signing_keys_before: get("CARNET_SIGNING_KEYS_BEFORE"),
            verifying_keys: get("CARNET_VERIFYING_KEYS"),
            master_key: get("CARNET_MASTER_KEY"),
            master_keys_before: get("CARNET_MASTER_KEYS_BEFORE"),
            lookup_key: get("CARNET_LOOKUP_KEY"),
            seal_key: get("CARNET_SEAL_KEY"),
            seal_keys_before: get("CARNET_SEAL_KEYS_BEFORE"),
            seals: get("CARNET_SEALS"),
            documents: get("CARNET_DOCUMENTS"),
            uploads: get("CARNET_UPLOADS"),
            clamd: get("CLAMD"),
            aws: get("AWS_ACCESS_KEY_ID").zip(get("AWS_SECRET_ACCESS_KEY")).map(|(id, secret)| AwsKey {
                id,
                secret,
                token: get("AWS_SESSION_TOKEN"),
            }),
            emergency_hours: faults.note(hours).flatten().unwrap_or(4),
            openid_providers: get("OPENID_PROVIDERS"),
            subscriptions: get("SUBSCRIPTIONS"),
            consumer_url: get("CONSUMER_URL"),
            stops_between_requests: get("AWS_LAMBDA_RUNTIME_API").is_some(),
            queue_url: get("QUEUE_URL"),
            clock: clock.and_then(|clock| faults.note(clock)),
            webhook_networks: faults.note(networks).unwrap_or_default(),
            calendars: Variables::read(&get, &mut faults),
            edges: Settings::read(&get, development, &mut faults),
        };
        (config, faults)
    }

    /// What is to be kept from who does not need it, by the names of the variables, and whether it is given.
    pub fn secrets(&self) -> Vec<(&'static str, bool)> {
        let mut copy = self.clone();
        let mut secrets: Vec<_> = copy.secret_texts().map(|(name, text)| (name, text.is_some())).into();
        secrets.push((AWS_SECRET, self.aws.is_some()));
        secrets
    }

    /// The same without the secrets that are not named: who does not have them gives none away.
    #[must_use]
    pub fn only(&self, named: &dyn Fn(&str) -> bool) -> Self {
        let mut copy = self.clone();
        for (name, text) in copy.secret_texts() {
            text.take_if(|_| !named(name));
        }
        copy.aws.take_if(|_| !named(AWS_SECRET));
        copy
    }

    fn secret_texts(&mut self) -> [(&'static str, &mut Option<String>); 13] {
        [
            ("DATABASE_URL", &mut self.database_url),
            ("EVENTS_SECRET", &mut self.events_secret),
            ("SMTP_URL", &mut self.smtp_url),
            ("SMS_URL", &mut self.sms_url),
            ("PUSH_KEY", &mut self.push_key),
            ("CARNET_SIGNING_KEY", &mut self.signing_key),
            ("CARNET_SIGNING_KEYS_BEFORE", &mut self.signing_keys_before),
            ("CARNET_VERIFYING_KEYS", &mut self.verifying_keys),
            ("CARNET_MASTER_KEY", &mut self.master_key),
            ("CARNET_MASTER_KEYS_BEFORE", &mut self.master_keys_before),
            ("CARNET_LOOKUP_KEY", &mut self.lookup_key),
            ("CARNET_SEAL_KEY", &mut self.seal_key),
            ("OPENID_PROVIDERS", &mut self.openid_providers),
        ]
    }

    /// The bare address that mail is sent from.
    pub fn mail_address(&self) -> &str {
        let from = self.mail_from.as_str();
        from.rsplit_once('<').map_or(from, |(_, rest)| rest.trim_end_matches('>'))
    }

    /// The domain that mail is sent from, for identifiers.
    pub fn mail_domain(&self) -> &str {
        self.mail_address().rsplit_once('@').map_or("carnet.example", |(_, domain)| domain)
    }

    /// Where the browser says it is when it speaks to us: what passkeys are bound to.
    pub fn origin(&self) -> Option<String> {
        let local = || self.is_development().then(|| format!("http://localhost:{}", self.port));
        self.public_url.clone().or_else(local)
    }

    /// Whether `/dev/*` exists and keys may be made on the spot.
    pub fn is_development(&self) -> bool {
        self.environment == Environment::Development
    }
}

/// An empty variable is an absent one.
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn number<T: std::str::FromStr>(
    get: &impl Fn(&str) -> Option<String>, variable: &'static str,
) -> Result<Option<T>, ConfigError> {
    get(variable)
        .map(|text| text.parse().map_err(|_| ConfigError { variable, problem: "is not a number in range" }))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Misconfigured> {
        Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_is_open_unless_development_is_asked_for() {
        let config = read(&[]).unwrap();
        assert!(!config.is_development());
        assert_eq!(config.bind, "0.0.0.0");
        assert!(read(&[("CARNET_ENV", "development")]).unwrap().is_development());
    }

    #[test]
    fn an_error_names_the_variable_and_not_its_value() {
        let error = read(&[("PORT", "s3cret")]).unwrap_err().to_string();
        assert!(error.contains("PORT") && !error.contains("s3cret"), "{error}");
        assert!(read(&[("CARNET_ENV", "prod")]).is_err());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faulty = [
            ("CARNET_ENV", "prod"),
            ("PORT", "x"),
            ("DATABASE_POOL", "-1"),
            ("EMERGENCY_HOURS", "25"),
            ("CARNET_CLOCK", "2026-03-02T08:00:00Z"),
            ("TRUSTED_PROXIES", "y"),
            ("MAX_CONNECTIONS", "0"),
            ("TLS_KEY", "key.pem"),
        ];
        let error = read(&faulty).unwrap_err().to_string();
        for (name, _) in faulty.iter().filter(|(name, _)| *name != "TLS_KEY") {
            assert!(error.contains(&format!("{name}: ")), "{name}: {error}");
        }
        assert!(error.contains("TLS_CERTIFICATE: is missing beside TLS_KEY"), "{error}");
        let sound = read(&[("CARNET_ENV", "development"), ("CARNET_CLOCK", "2026-03-02T08:00:00Z")]).unwrap();
        assert!(sound.clock.is_some());
    }

    #[test]
    fn a_lambda_holds_one_connection() {
        assert_eq!(read(&[]).unwrap().database_pool, 8);
        assert_eq!(read(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")]).unwrap().database_pool, 1);
    }
}
