//! Graph's own schema (CSDL), and whether a body is what it says: names, types, members of enumerations, what may be null. The schema
//! lies beside the checkout where there is one; without it nothing is checked, and that is said.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use domain::Timestamp;
use exchange::{Line, Request, Response, Transport, TransportError};
use futures_util::future::BoxFuture;
use http::Method;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

/// What the service tells that its schema does not know.
const UNDECLARED: &[&str] = &["occurrenceId"];

#[derive(Default)]
struct Type {
    base: Option<String>,
    open: bool,
    properties: HashMap<String, (String, bool)>,
}

/// A schema.
#[derive(Default)]
pub struct Schema {
    enums: HashMap<String, HashSet<String>>,
    types: HashMap<String, Type>,
}

static BESIDE: LazyLock<Option<Arc<Schema>>> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/graph/v1.0-Prod.csdl.gz");
    let path = std::env::var_os("CARNET_GRAPH_CSDL").map_or_else(|| PathBuf::from(file), PathBuf::from);
    let packed = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).ok()?;
    Some(Arc::new(Schema::read(&text)))
});

/// The schema beside the checkout.
pub fn beside() -> Option<Arc<Schema>> {
    BESIDE.clone()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|one| one.key.as_ref() == name.as_bytes())?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

/// `graph.event` and `microsoft.graph.event` are the same.
fn bare(name: &str) -> &str {
    let name = name.trim_start_matches('#');
    let (start, rest) = name.split_at_checked("microsoft.".len()).unwrap_or((name, ""));
    let name = if start.eq_ignore_ascii_case("microsoft.") { rest } else { name };
    name.split_once('.').map_or(name, |(space, rest)| if space.eq_ignore_ascii_case("graph") { rest } else { name })
}

impl Schema {
    /// Reads one.
    pub fn read(text: &str) -> Self {
        let (mut schema, mut reader) = (Self::default(), quick_xml::Reader::from_str(text));
        let mut at = String::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(element) | Event::Empty(element)) => schema.element(&element, &mut at),
                Ok(Event::Eof) | Err(_) => return schema,
                Ok(_) => {}
            }
        }
    }

    fn element(&mut self, element: &BytesStart<'_>, at: &mut String) {
        let name = attribute(element, "Name").unwrap_or_default();
        match element.name().as_ref() {
            b"EnumType" => {
                at.clone_from(&name);
                self.enums.insert(name, HashSet::new());
            }
            b"Member" => drop(self.enums.entry(at.clone()).or_default().insert(name)),
            b"EntityType" | b"ComplexType" => {
                at.clone_from(&name);
                let base = attribute(element, "BaseType").map(|base| bare(&base).to_owned());
                let open = attribute(element, "OpenType").is_some_and(|open| open == "true");
                self.types.insert(name, Type { base, open, properties: HashMap::new() });
            }
            // Parameters are properties of what is posted.
            b"Action" => {
                *at = format!("action {name}");
                self.types.entry(at.clone()).or_default();
            }
            b"Function" | b"EntityContainer" => at.clear(),
            b"Property" | b"NavigationProperty" | b"Parameter" => {
                let kind = attribute(element, "Type").unwrap_or_default();
                let nullable = attribute(element, "Nullable").is_none_or(|text| text != "false");
                if let Some(here) = self.types.get_mut(at.as_str()) {
                    here.properties.insert(name, (kind, nullable));
                }
            }
            _ => {}
        }
    }

    fn property(&self, kind: &str, name: &str) -> Option<&(String, bool)> {
        let here = self.types.get(kind)?;
        // Actions are declared in another case than they are called.
        let loose = kind.starts_with("action ");
        let found = here.properties.get(name).or_else(|| {
            let all = here.properties.iter().filter(|_| loose);
            all.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, what)| what).next()
        });
        found.or_else(|| self.property(here.base.as_deref()?, name))
    }

    /// What is wrong with a value of a type, each with where.
    pub fn check(&self, value: &Value, kind: &str, at: &str) -> Vec<String> {
        if let Some(of) = kind.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')')) {
            let Value::Array(all) = value else { return vec![format!("{at}: no list of {of}")] };
            return all.iter().enumerate().flat_map(|(n, one)| self.check(one, of, &format!("{at}[{n}]"))).collect();
        }
        if let Some(primitive) = kind.strip_prefix("Edm.") {
            return if fits(value, primitive) { Vec::new() } else { vec![format!("{at}: no {primitive}")] };
        }
        let kind = bare(kind);
        if let Some(members) = self.enums.get(kind) {
            let known = value.as_str().is_some_and(|text| text.split(',').all(|one| members.contains(one)));
            return if known { Vec::new() } else { vec![format!("{at}: no {kind}")] };
        }
        if !self.types.contains_key(kind) {
            return vec![format!("{at}: no type {kind}")];
        }
        let Value::Object(all) = value else { return vec![format!("{at}: no {kind}")] };
        let kind = value["@odata.type"].as_str().map_or(kind, bare);
        all.iter().flat_map(|(name, one)| self.check_property(kind, name, one, &format!("{at}/{name}"))).collect()
    }

    fn check_property(&self, kind: &str, name: &str, value: &Value, at: &str) -> Vec<String> {
        if name.contains('@') || UNDECLARED.contains(&name) {
            return Vec::new();
        }
        match self.property(kind, name) {
            // What is open takes anything; events are, and misspelt properties in them are what is looked for.
            None if kind == "resourceData" && self.types.get(kind).is_some_and(|one| one.open) => Vec::new(),
            None => vec![format!("{at}: {kind} has no such property")],
            Some((_, nullable)) if value.is_null() => {
                if *nullable {
                    Vec::new()
                } else {
                    vec![format!("{at}: null")]
                }
            }
            Some((of, _)) => self.check(value, of, at),
        }
    }
}

fn fits(value: &Value, primitive: &str) -> bool {
    let text = |fits: &dyn Fn(&str) -> bool| value.as_str().is_some_and(fits);
    match primitive {
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "Int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "DateTimeOffset" => text(&|text| text.parse::<Timestamp>().is_ok()),
        "Date" => text(&|text| text.parse::<jiff::civil::Date>().is_ok()),
        "TimeOfDay" => text(&|text| text.parse::<jiff::civil::Time>().is_ok()),
        "Guid" => text(&|text| text.parse::<uuid::Uuid>().is_ok()),
        _ => true,
    }
}

/// A way out on which every body is held against the schema.
pub struct Checked<T> {
    inner: T,
    schema: Option<Arc<Schema>>,
    checked: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl<T> Checked<T> {
    /// That way, by the schema beside the checkout.
    pub fn new(inner: T) -> Self {
        Self { inner, schema: beside(), checked: AtomicUsize::new(0), wrong: Mutex::default() }
    }

    /// How many bodies were held against the schema, and what was wrong with them.
    pub fn result(&self) -> (usize, Vec<String>) {
        (self.checked.load(Ordering::Relaxed), self.wrong.lock().unwrap().clone())
    }

    /// Holds one body against a type.
    pub fn hold(&self, body: &Value, kind: &str, at: &str) {
        if let Some(schema) = &self.schema {
            self.checked.fetch_add(1, Ordering::Relaxed);
            self.wrong.lock().unwrap().extend(schema.check(body, kind, at));
        }
    }

    fn posted(&self, method: &Method, path: &str, body: &[u8]) {
        if path.ends_with("/$batch") {
            let value: Value = serde_json::from_slice(body).unwrap_or_default();
            for one in value["requests"].as_array().into_iter().flatten().filter(|one| one.get("body").is_some()) {
                let method = one["method"].as_str().and_then(|name| name.parse().ok()).unwrap_or_default();
                self.posted(&method, one["url"].as_str().unwrap_or_default(), one["body"].to_string().as_bytes());
            }
            return;
        }
        let kind = match path.rsplit('/').next() {
            Some("getSchedule") => "action getSchedule",
            Some("reauthorize") => return,
            _ if path.contains("/subscriptions") => "graph.subscription",
            _ => "graph.event",
        };
        if let Ok(value) = serde_json::from_slice(body) {
            self.hold(&value, kind, &format!("{method} {kind}"));
        }
    }

    fn answered(&self, path: &str, body: &[u8]) {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return };
        if path.ends_with("/$batch") {
            let all = value["responses"].as_array().into_iter().flatten();
            // Only items are asked for so.
            let good =
                all.filter(|one| one["status"].as_u64().is_some_and(|status| status < 300) && one["body"].is_object());
            return good.for_each(|one| self.hold(&one["body"], "graph.event", "graph.event"));
        }
        let kind = match (path, path.rsplit('/').next()) {
            (_, Some("getSchedule")) => "graph.scheduleInformation",
            (_, Some("calendar")) => "graph.calendar",
            (path, _) if path.contains("/subscriptions") => "graph.subscription",
            (path, _) if path.contains("/events") || path.contains("/calendarView") => "graph.event",
            _ => "graph.calendar",
        };
        match value.get("value") {
            Some(rows) => self.hold(rows, &format!("Collection({kind})"), &format!("list of {kind}")),
            None => self.hold(&value, kind, kind),
        }
    }
}

impl<T: Transport> Transport for Checked<T> {
    fn send(
        &self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        let path = request.uri().path().to_owned();
        if !request.body().is_empty() {
            self.posted(request.method(), &path, request.body());
        }
        Box::pin(async move {
            let answer = self.inner.send(request, longest, most).await?;
            if answer.status().is_success() {
                self.answered(&path, answer.body());
            }
            Ok(answer)
        })
    }

    fn open<'a>(
        &'a self, uri: &'a http::Uri, longest: Duration,
    ) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        self.inner.open(uri, longest)
    }
}
