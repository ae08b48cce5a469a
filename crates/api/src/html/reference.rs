//! The reference of the API as a page, made from its OpenAPI document.

use serde_json::Value;

use super::{Markup, code, element, link, page, section, table, text};
use crate::response::status::Status;

/// The page: operations by section, then the types, then the codes.
#[must_use]
pub fn reference(status: &Status, document: &Value) -> String {
    let mut content = element("p", &text(plain(&document["info"]["description"])));
    let machine = link("/v1/openapi.json", &text("/v1/openapi.json"));
    content.push(&element("p", &machine));
    for tag in list(&document["tags"]) {
        content.push(&operations(document, plain(&tag["name"])));
    }
    content.push(&section("Types", &types(document)));
    content.push(&section("Problem codes", &words(document, "ProblemCode")));
    content.push(&section("Kinds of transactions", &words(document, "TransactionKind")));
    page(status, "API reference", &content)
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An object's members; none of anything else.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A heading that a link can lead to.
fn heading(id: &str) -> Markup {
    Markup(format!("<h3 id=\"{}\">{}</h3>", text(id).0, text(id).0))
}

fn operations(document: &Value, tag: &str) -> Markup {
    let mut markup = element("h2", &text(tag));
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            if list(&operation["tags"]).first().map(plain) == Some(tag) {
                markup.push(&heading(&format!("{} {path}", method.to_uppercase())));
                markup.push(&element("p", &text(plain(&operation["summary"]))));
                markup.push(&one(document, operation));
            }
        }
    }
    markup
}

fn one(document: &Value, operation: &Value) -> Markup {
    let mut markup = Markup::default();
    let parameters = list(&operation["parameters"]).iter().filter_map(|parameter| {
        let parameter = resolved(document, parameter)?;
        let place = plain(&parameter["in"]);
        Some(vec![
            code(plain(&parameter["name"])),
            text(place),
            form(&parameter["schema"]),
            text(plain(&parameter["description"])),
        ])
    });
    let parameters: Vec<_> = parameters.collect();
    if !parameters.is_empty() {
        markup.push(&table(&["Parameter", "In", "Form", "Meaning"], parameters));
    }
    let body = members(&operation["requestBody"]["content"])
        .map(|(content_type, body)| vec![text("body"), code(content_type), form(&body["schema"])]);
    let answers = members(&operation["responses"]).map(|(status, response)| {
        let forms = members(&response["content"]).next();
        let form = forms.map_or_else(Markup::default, |(_, content)| form(&content["schema"]));
        vec![text(status), text(plain(&response["description"])), form]
    });
    let rows = body.chain(answers).collect();
    markup.push(&table(&["Status", "Meaning", "Type"], rows));
    markup
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> Option<&'a Value> {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#')?),
        None => Some(value),
    }
}

/// A schema in a few words, with links to named types.
fn form(schema: &Value) -> Markup {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return link(format!("#{name}"), &text(name));
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let mut markup = Markup::default();
        for (index, choice) in choices.iter().enumerate() {
            if index > 0 {
                markup.push(&text(" or "));
            }
            markup.push(&form(choice));
        }
        return markup;
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(plain).collect::<Vec<_>>().join(" or "),
        other => plain(other).to_owned(),
    };
    let mut markup = text(if kinds.is_empty() { "any" } else { kinds.as_str() });
    if schema["items"].is_object() {
        markup.push(&text(" of "));
        markup.push(&form(&schema["items"]));
    }
    let words: Vec<_> = list(&schema["enum"]).iter().map(plain).collect();
    for more in [words.join(" | "), plain(&schema["pattern"]).to_owned()] {
        if !more.is_empty() {
            markup.push(&text(" "));
            markup.push(&code(more));
        }
    }
    markup
}

fn types(document: &Value) -> Markup {
    let mut markup = Markup::default();
    for (name, schema) in members(&document["components"]["schemas"]) {
        if schema["oneOf"].is_array() {
            continue;
        }
        markup.push(&heading(name));
        markup.push(&element("p", &text(plain(&schema["description"]))));
        let required: Vec<_> = list(&schema["required"]).iter().map(plain).collect();
        let rows = members(&schema["properties"]).map(|(field, schema)| {
            let always = if required.contains(&field.as_str()) { "" } else { "may be missing" };
            vec![code(field), form(schema), text(plain(&schema["description"])), text(always)]
        });
        markup.push(&table(&["Field", "Form", "Meaning", ""], rows.collect()));
    }
    markup
}

/// A list of words with their meanings.
fn words(document: &Value, name: &str) -> Markup {
    let mut markup = heading(name);
    let choices = list(&document["components"]["schemas"][name]["oneOf"]).iter();
    let rows = choices.map(|it| vec![code(plain(&it["const"])), text(plain(&it["description"]))]);
    markup.push(&table(&["Name", "Meaning"], rows.collect()));
    markup
}
