//! `spin.toml`, as far as ours uses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Piece>,
}

#[derive(Deserialize)]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
struct Piece {
    source: PathBuf,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// A component, with what the manifest gives it.
pub struct Component {
    /// Its file.
    pub source: PathBuf,
    /// Where it may go.
    pub allowed: Vec<String>,
    /// What it may ask for by name.
    pub variables: BTreeMap<String, String>,
    /// What it finds as environment.
    pub environment: Vec<(String, String)>,
}

/// An application: its components by name, and the routes that lead to them.
pub struct Manifest {
    /// By name.
    pub components: BTreeMap<String, Component>,
    /// Path pattern, name of a component.
    pub routes: Vec<(String, String)>,
}

impl Manifest {
    /// Reads a file; `given` are the values of its variables, in their names.
    ///
    /// # Errors
    /// What is not understood, or a required variable without a value.
    pub fn read(file: &Path, given: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let written: Written = toml::from_str(&text).map_err(|error| error.to_string())?;
        let mut values = BTreeMap::new();
        for (name, variable) in &written.variables {
            match given(name).or_else(|| variable.default.clone()) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None if variable.required => return Err(format!("the variable {name} has no value")),
                None => {}
            }
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        let components = written.component.into_iter().map(|(name, piece)| {
            let resolved = |text: &String| resolve(text, &values);
            let component = Component {
                source: folder.join(piece.source),
                allowed: piece.allowed_outbound_hosts.iter().map(resolved).collect(),
                variables: piece.variables.iter().map(|(name, text)| (name.clone(), resolved(text))).collect(),
                environment: piece.environment.into_iter().collect(),
            };
            (name, component)
        });
        let routes = written.trigger.http.into_iter().map(|trigger| (trigger.route, trigger.component)).collect();
        Ok(Self { components: components.collect(), routes })
    }

    /// Which component answers a path: what is named goes before what is not (`:name`), and that before all the rest (`...`).
    pub fn route(&self, path: &str) -> Option<&str> {
        let matching = self.routes.iter().filter_map(|(route, component)| Some((score(route, path)?, component)));
        matching.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, component)| component.as_str())
    }
}

/// Replaces `{{ name }}`.
fn resolve(text: &str, values: &BTreeMap<String, String>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{ {name} }}}}"), value))
}

/// How exactly a route says a path: for each segment 2 when it is named, 1 when any will do.
fn score(route: &str, path: &str) -> Option<Vec<u8>> {
    let mut score = Vec::new();
    let mut given = path.trim_start_matches('/').split('/');
    for wanted in route.trim_start_matches('/').split('/') {
        if wanted == "..." {
            return Some(score);
        }
        let segment = given.next()?;
        match wanted.strip_prefix(':') {
            Some(_) => score.push(1),
            None if wanted == segment => score.push(2),
            None => return None,
        }
    }
    given.next().is_none().then_some(score)
}
