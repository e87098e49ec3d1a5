//! The OpenAPI 3.1 document: generated from the handlers, completed with what the edge answers for all of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::function::Manifest;

const PROBLEM: &str = "#/components/schemas/Problem";

/// Completes the document: security by manifest, and every problem that extraction, the edge or the database can cause.
pub fn finish(document: &utoipa::openapi::OpenApi, manifests: &[Manifest]) -> Value {
    let public: BTreeSet<(String, String)> = manifests
        .iter()
        .flat_map(|manifest| &manifest.routes)
        .filter(|route| route.public)
        .map(|route| (route.path.clone(), route.method.to_lowercase()))
        .collect();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Carnet", "version": env!("CARGO_PKG_VERSION"),
        "description": "Medical appointments and the patient record.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                let open = public.contains(&(path.clone(), method.clone())) || !path.starts_with("/v1/");
                complete(path, method, operation, open);
            }
        }
    }
    document["components"]["schemas"]["Problem"] = problem_schema();
    document["components"]["securitySchemes"] =
        json!({"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}});
    document
}

/// The schema of a bound in a query: a day, or an instant with its offset.
pub fn day_or_instant() -> Schema {
    let text = |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
    AnyOfBuilder::new().item(text(KnownFormat::Date)).item(text(KnownFormat::DateTime)).build().into()
}

fn complete(path: &str, method: &str, operation: &mut Value, open: bool) {
    let body = operation.get("requestBody").is_some();
    let header =
        operation["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "header"));
    let product = path.starts_with("/v1/");
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) {
            response["content"] = json!({"application/problem+json": {"schema": {"$ref": PROBLEM}}});
        }
    }
    let mut add = |when: bool, status: &str, meaning: &str| add_problem(responses, when, status, meaning);
    add(body || header, "400", "The request cannot be read.");
    add(!open, "401", "No valid access token.");
    add(!open || method != "get", "403", "The capacity you act in, or the site your browser shows, may not do this.");
    add(path.contains('{'), "404", "There is nothing here that you may see.");
    add(body, "413", "The body is larger than 64 KiB.");
    add(body, "415", "The body must be application/json.");
    add(true, "422", "A field or a parameter is unknown, or has a wrong type or value.");
    add(product, "429", "That was asked too often: try again after Retry-After seconds.");
    add(product || path == "/readyz", "503", "Try again after Retry-After seconds.");
    if let Some(response) = responses.get_mut("401") {
        response["headers"] = json!({"WWW-Authenticate": {"required": true, "schema": {"type": "string"}}});
    }
    for status in ["429", "503"] {
        let Some(response) = responses.get_mut(status) else { continue };
        response["headers"] = json!({"Retry-After": {
            "description": "Seconds to wait.", "required": true, "schema": {"type": "string", "pattern": "^[0-9]+$"},
        }});
    }
    if !open {
        operation["security"] = json!([{"bearer": []}]);
    }
}

fn add_problem(responses: &mut Map<String, Value>, when: bool, status: &str, meaning: &str) {
    if !when {
        return;
    }
    responses.entry(status).or_insert_with(
        || json!({"description": meaning, "content": {"application/problem+json": {"schema": {"$ref": PROBLEM}}}}),
    );
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457 problem details.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Stable; ends with the problem's name.",
                     "examples": ["/problems/slot-taken"]},
            "title": {"type": "string", "description": "In French or English, by Accept-Language."},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "field": {"type": "string", "description": "The field, parameter or header at fault."},
        },
    })
}
