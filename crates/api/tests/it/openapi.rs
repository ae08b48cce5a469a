//! The API's description of itself: served, golden, readable, and true.

use serde_json::Value;

use crate::kit::{Network, OPEN_DEMO, PRIVATE};

#[tokio::test]
async fn golden_openapi_document() {
    let network = Network::new(PRIVATE);
    let served = network.get("/v1/openapi.json").await;
    assert_eq!(
        (served.status.as_u16(), served.header("content-type")),
        (200, Some("application/json"))
    );
    let text = format!("{:#}\n", served.json());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/openapi.json");
    if std::env::var("GRIDTALLY_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).expect("a folder");
        std::fs::write(path, &text).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        golden == text,
        "the interface has changed: look at it, then approve it with GRIDTALLY_GOLDEN=write"
    );
}

#[tokio::test]
async fn the_reference_is_a_page_without_scripts_and_foreign_hosts() {
    let network = Network::new(PRIVATE);
    let page = network.get("/api").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    for foreign in ["http:", "https:", "src=", "@import", "url(", "<script"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let document = network.get("/v1/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let heading = format!("<h3 id=\"{0} {path}\">", method.to_uppercase());
            assert!(text.contains(&heading), "{heading}");
        }
    }
    assert!(text.contains("InsufficientFunds") && text.contains("id=\"BillDetail\""));
}

/// Does a value fit a schema of the document? As far as our answers use JSON Schema.
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(&reference[1..]).expect("the document's own test");
        return fits(document, found, value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let mut errors = choices.iter().map(|choice| fits(document, choice, value, place));
        return if errors.any(|it| it.is_ok()) {
            Ok(())
        } else {
            Err(format!("{place}: no choice"))
        };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|it| it == kind),
        Value::String(it) => it == kind,
        _ => true,
    };
    if !allowed {
        return Err(format!("{place}: {kind} does not fit {}", schema["type"]));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(document, &schema["items"], item, &format!("{place}[{index}]"))?;
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap_or_default()) {
            return Err(format!("{place}: {name} is missing"));
        }
    }
    for (name, member) in members {
        let place = format!("{place}.{name}");
        let found = properties.get(name).ok_or_else(|| format!("{place} is not described"))?;
        fits(document, found, member, &place)?;
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_is_what_the_document_says() {
    for setup in [OPEN_DEMO, PRIVATE] {
        let network = Network::new(setup);
        network.dispute(1_000_000);
        network.follow();
        let document = network.get("/v1/openapi.json").await.json();
        for (address, pattern) in crate::reading::addresses_with_patterns(&network) {
            let seen = network.get(&address).await;
            let content =
                &document["paths"][&pattern]["get"]["responses"][seen.status.as_str()]["content"];
            let content = content.as_object().and_then(|it| it.values().next());
            let content =
                content.unwrap_or_else(|| panic!("{address}: {} undescribed", seen.status));
            fits(&document, &content["schema"], &seen.json(), &address).unwrap();
        }
    }
}
