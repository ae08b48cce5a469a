//! The API's description of itself: OpenAPI 3.1, made from one table of operations and the types of
//! the answers.
//!
//! [`operations`] lists what each address takes and gives; a test holds it against the router in both
//! directions. Schemas come from the types in [`crate::response`] with their own comments, problem
//! codes from [`crate::problem::ALL`] and the lists of the rules. `golden/openapi.json` shows every
//! change of the interface in a review.

pub mod operations;
mod parameters;

use std::sync::OnceLock;

use contracts::transaction::TABLE;
use contracts::{Malformed, Rejection};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::operations::{Answer, OPERATIONS, Operation, Takes};
use crate::problem;

/// The version of the OpenAPI specification.
const SPECIFICATION: &str = "3.1.0";

/// The document, made once.
#[must_use]
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        if let Answer::Live(hello, page) = operation.answer {
            // Named in the text of the answer.
            let _ = (hello(&mut generator), page(&mut generator));
        }
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.insert("ProblemCode".to_owned(), problem_codes());
    schemas.insert("TransactionKind".to_owned(), transaction_kinds());
    for schema in schemas.values_mut() {
        refine(schema);
    }
    json!({
        "openapi": SPECIFICATION,
        "info": {
            "title": "Gridtally",
            "version": "v1",
            "summary": "Reads and submissions of one ledger node.",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/", "description": "This node." }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters::all(),
            "headers": { "Gridtally-Height": {
                "description": "The height from which everything in the answer comes.",
                "schema": { "type": "string", "pattern": "^[0-9]+$" },
            } },
            "securitySchemes": { "session": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token of a session (`POST /v1/session`). Without it a reader \
                                sees ids, hashes and codes.",
            } },
        },
    })
}

const INTRODUCTION: &str = "64-bit numbers are decimal strings with their unit in the field's name; \
    ids, hashes and keys are lower-case hexadecimal; bytes are base64url without padding; moments \
    are RFC 3339. Where the reader lacks the rights, values are left out and `withheld` is true. \
    Everything in one answer comes from one height, which the header `Gridtally-Height` names; \
    send the highest you have seen as `at_least`, and no answer is older. Transactions are \
    canonical bytes that carry their signatures; the server never supplies bytes to sign.";

fn tags() -> Value {
    let mut names: Vec<&str> = Vec::new();
    for operation in OPERATIONS {
        if !names.contains(&operation.tag) {
            names.push(operation.tag);
        }
    }
    names.iter().map(|name| json!({ "name": name })).collect()
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation_id(operation),
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses(operation, generator),
    });
    let of_query = operation.query.iter().copied().chain(operation.is_read().then_some("at_least"));
    let mut list: Vec<_> =
        operation.path_parameters().map(|name| parameters::reference(name, "path")).collect();
    list.extend(of_query.map(|name| parameters::reference(name, "query")));
    if !list.is_empty() {
        described["parameters"] = list.into();
    }
    if operation.is_read() {
        described["security"] = json!([{}, { "session": [] }]);
    }
    if let Some(body) = request_body(operation.takes, generator) {
        described["requestBody"] = body;
    }
    described
}

/// `get /v1/usage-points/{usage_point}` → `get_usage_points_usage_point`.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/v1").replace(['{', '}'], "");
    let page = if operation.is_page() { "page" } else { "" };
    let words = path.split(['/', '-', '.']).chain([page]).filter(|word| !word.is_empty());
    let mut id = operation.method.to_owned();
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}

fn request_body(takes: Takes, generator: &mut SchemaGenerator) -> Option<Value> {
    let bytes = |description: &str| {
        json!({ "schema": {
        "type": "string", "contentMediaType": "application/octet-stream", "description": description,
    } })
    };
    let content = match takes {
        Takes::Nothing => return None,
        Takes::Submissions => json!({
            crate::routes::SUBMISSION_TYPE: bytes("One submission in canonical encoding."),
            crate::routes::SUBMISSIONS_TYPE:
                bytes("A list of up to 1,000 submissions in canonical encoding."),
        }),
        Takes::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
    };
    Some(json!({ "required": true, "content": content }))
}

const LIVE: &str = "A WebSocket. The client's first frame is a `Hello` as JSON; each frame from the \
    node is an `EventsPage`. Closed with 1001 when the node stops, 1013 when the client takes \
    nothing for ten seconds or answers no ping (come back with the last cursor), 4400 for a wrong \
    frame, 4401 without a session, 4408 when the first frame does not come.";

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (status, description, content) = match operation.answer {
        Answer::Json(schema) => (
            "200",
            "The answer.",
            json!({
                "application/json": { "schema": schema(generator) },
            }),
        ),
        Answer::Created(schema) => (
            "201",
            "It was made.",
            json!({
                "application/json": { "schema": schema(generator) },
            }),
        ),
        Answer::Document(content_type) => (
            "200",
            "The document.",
            json!({
                content_type: { "schema": { "type": "string" } },
            }),
        ),
        Answer::Bytes(content_type) => (
            "200",
            "The bytes, as they are made.",
            json!({
                content_type: { "schema": { "type": "string", "format": "binary" } },
            }),
        ),
        Answer::Events(schema) => (
            "200",
            "A page, or a stream of them.",
            json!({
                "application/json": { "schema": schema(generator) },
                "text/event-stream": { "schema": { "type": "string" } },
            }),
        ),
        Answer::Live(..) => ("101", LIVE, json!({})),
        Answer::Proof => (
            "200",
            "The proof file.",
            json!({
                "application/json": { "schema": { "type": "object" } },
            }),
        ),
    };
    let height = json!({ "$ref": "#/components/headers/Gridtally-Height" });
    let headers = json!({ "Gridtally-Height": height });
    let answer = json!({ "description": description, "headers": headers, "content": content });
    responses.insert(status.to_owned(), answer);
    problems(operation, &mut responses);
    Value::Object(responses)
}

/// The problems of an operation, by status.
fn problems(operation: &Operation, responses: &mut Map<String, Value>) {
    let content_type = if operation.is_page() { "text/html" } else { "application/problem+json" };
    let schema = if operation.is_page() {
        json!({ "type": "string" })
    } else {
        json!({ "$ref": "#/components/schemas/Problem" })
    };
    let kinds = operation.problems();
    for kind in &kinds {
        let of_status = kinds.iter().filter(|other| other.status == kind.status);
        let mut names: Vec<_> = of_status.map(|kind| format!("`{}`", kind.name)).collect();
        if operation.submits() && kind.status == 400 {
            names.push("a form error".to_owned());
        }
        let text = format!("{}.", names.join(", "));
        let response =
            json!({ "description": text, "content": { content_type: { "schema": schema } } });
        responses.insert(kind.status.to_string(), response);
    }
    if operation.submits() {
        let response = json!({
            "description": "The transaction was ordered and breaks a rule: `code` names it.",
            "content": { content_type: { "schema": schema } },
        });
        responses.insert("409".to_owned(), response);
    }
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457: why the answer is not what was asked for.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string", "description": "The kind in words." },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What happened here." },
            "code": { "$ref": "#/components/schemas/ProblemCode" },
            "request_id": { "type": "string", "description": "The operator finds the cause under it." },
            "rule": { "type": "integer", "description": "The number of the rule or form error." },
            "transaction_id": { "type": "string" },
            "height": { "type": "string" },
            "index": { "type": "integer" },
            "numbers": { "type": "array", "items": { "type": "string" },
                "description": "The numbers of a rejection." },
        },
    })
}

/// Every code: of the API, of the form, of the rules.
fn problem_codes() -> Value {
    let own = problem::ALL.iter().map(|kind| {
        let text = format!("{}: {}", kind.status, kind.title);
        json!({ "const": kind.name, "description": text })
    });
    let form = Malformed::ALL.iter().map(
        |(code, name)| json!({ "const": name, "description": format!("400: form error {code}") }),
    );
    let rules = Rejection::ALL.iter().map(|(code, name, text)| {
        json!({ "const": name, "description": format!("409: rule {code}, {text}") })
    });
    let codes: Vec<_> = own.chain(form).chain(rules).collect();
    json!({ "type": "string", "description": "What programs compare.", "oneOf": codes })
}

fn transaction_kinds() -> Value {
    let kinds = TABLE.iter().map(|entry| {
        let text = format!("kind {} of {}", entry.kind, entry.module);
        json!({ "const": entry.name, "description": text })
    });
    json!({ "type": "string", "description": "The names of the kinds.",
        "oneOf": kinds.collect::<Vec<_>>() })
}

/// Says what the names of the fields promise: 64-bit numbers are decimal strings, kinds have names.
fn refine(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    const UNITS: [&str; 5] = ["_wh", "_micro", "_ms", "_micro_per_kwh", "_w"];
    const COUNTS: [&str; 4] = ["height", "sequence", "epoch", "time_ms"];
    for (name, property) in properties {
        let Some(property) = property.as_object_mut() else { continue };
        let is_text = property.get("type").is_some_and(|it| it.to_string().contains("string"));
        if is_text
            && (UNITS.iter().any(|unit| name.ends_with(unit)) || COUNTS.contains(&name.as_str()))
        {
            property.insert("pattern".to_owned(), "^-?[0-9]+$".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_address_is_described_and_nothing_else() {
        let table: BTreeSet<_> = OPERATIONS.iter().map(|it| (it.method, it.path)).collect();
        let routes: BTreeSet<_> = crate::routes::addresses().into_iter().collect();
        assert_eq!(table, routes);
        assert_eq!(table.len(), OPERATIONS.len(), "none twice");
    }

    #[test]
    fn references_lead_somewhere_and_names_are_unique() {
        let document = document();
        let mut open = vec![document];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("inside the document");
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    open.extend(members.values());
                }
                _ => {}
            }
        }
        let ids: BTreeSet<_> = OPERATIONS.iter().map(operation_id).collect();
        assert_eq!(ids.len(), OPERATIONS.len());
    }

    #[test]
    fn the_basics_of_the_specification_hold() {
        let document = document();
        assert_eq!(document["openapi"], SPECIFICATION);
        for member in ["title", "version"] {
            assert!(document["info"][member].is_string());
        }
        let paths = document["paths"].as_object().expect("an object");
        for (path, methods) in paths {
            assert!(path.starts_with('/'));
            for (method, operation) in methods.as_object().expect("an object") {
                let place = format!("{method} {path}");
                assert!(["get", "post", "delete"].contains(&method.as_str()), "{place}");
                let responses = operation["responses"].as_object().expect("an object");
                for (status, response) in responses {
                    assert!(status.parse::<u16>().is_ok_and(|it| (100..600).contains(&it)));
                    assert!(response["description"].is_string(), "{place} {status}");
                }
                assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{place}");
                for part in path.split('/').filter(|part| part.starts_with('{')) {
                    let name = part.trim_matches(['{', '}']);
                    let of_path = operation["parameters"].as_array().expect("its path has parts");
                    let is_it =
                        |it: &&Value| it["$ref"].as_str().is_some_and(|it| it.ends_with(name));
                    assert!(of_path.iter().any(|it| is_it(&it)), "{place} {name}");
                    let parameter = &document["components"]["parameters"][name];
                    assert_eq!(
                        (&parameter["in"], &parameter["required"]),
                        (&"path".into(), &true.into())
                    );
                }
            }
        }
    }
}
