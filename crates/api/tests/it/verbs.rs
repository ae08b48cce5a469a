//! EB's verbs: init, read and delete of frequency, reading and charge.

use axum::body::Body as HttpBody;
use axum::http::Request;
use contracts::billing::{ChargeSlots, ChargeTarget, WithdrawSlotCharge};
use contracts::metering::DeleteFrequency;
use contracts::registry::SuspendParty;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use primitives::codec::encode;
use primitives::envelope::Submission;
use serde_json::json;

use crate::kit::{Network, OPEN_DEMO, PRIVATE, Seen};

async fn send(network: &Network, (method, path): (&str, &str), body: String) -> Seen {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json").body(HttpBody::from(body));
    network.send(request.expect("a request")).await
}

fn document(submission: &Submission) -> String {
    json!({ "submission": BASE64.encode(&encode(submission)) }).to_string()
}

#[tokio::test]
async fn a_slot_is_charged_read_and_withdrawn() {
    let network = Network::new(OPEN_DEMO);
    let period = network.node.ledger.rules().calendar().periods_of(network.day).first;
    let target = ChargeTarget::UsagePoint(network.usage_point);
    let body = ChargeSlots { target, first_period: period, count: 1 };
    let signed = network.submission(&[&network.distributor.key], body, Vec::new());
    let answer = send(&network, ("POST", "/v1/bill"), document(&signed)).await;
    assert_eq!(answer.json()["results"][0]["status"], "accepted", "{}", answer.text());
    let path = format!("/v1/bill?usage_point={}&period={}", network.usage_point, period.get());
    let read = network.get(&path).await.json();
    assert_eq!(read["slots"].as_array().map(Vec::len), Some(1));
    assert_eq!(read["slots"][0]["charged"], true);
    assert_eq!(read["slots"][0]["amount"]["amount_micro"], "1250000");
    let body = WithdrawSlotCharge { usage_point: network.usage_point, period };
    let signed = network.submission(&[&network.distributor.key], body, Vec::new());
    let text = BASE64URL_NOPAD.encode(&encode(&signed));
    let body = json!({ "submission": text }).to_string();
    assert_eq!(send(&network, ("DELETE", "/v1/bill"), body).await.status, 200);
    assert_eq!(network.get(&path).await.json()["slots"][0]["charged"], false);
}

#[tokio::test]
async fn a_frequency_and_a_reading_are_read_by_period() {
    let network = Network::new(OPEN_DEMO);
    let period = network.node.ledger.rules().calendar().periods_of(network.day).first;
    let frequency = format!("/v1/frequency?period={}", period.get());
    let read = network.get(&frequency).await.json();
    assert_eq!(read["slots"].as_array().map(Vec::len), Some(1));
    assert_eq!(read["slots"][0]["frequency_millihertz"], 50_000);
    let unit = format!("/v1/unit?usage_point={}&period={}", network.usage_point, period.get());
    assert_eq!(network.get(&unit).await.json()["slots"][0]["reading"]["import_wh"], "250");
    let signed = network.submission(&[&network.grid.key], DeleteFrequency { period }, Vec::new());
    assert_eq!(send(&network, ("DELETE", "/v1/frequency"), document(&signed)).await.status, 200);
    let read = network.get(&frequency).await.json();
    assert!(read["slots"][0]["frequency_millihertz"].is_null());
}

#[tokio::test]
async fn values_of_others_are_withheld_and_wrong_questions_named() {
    let network = Network::new(PRIVATE);
    let unit = format!("/v1/unit?usage_point={}&day={}", network.usage_point, network.day);
    let read = network.get(&unit).await.json();
    assert_eq!((&read["withheld"], &read["slots"]), (&true.into(), &serde_json::Value::Null));
    for path in [
        "/v1/unit".to_owned(),
        "/v1/bill?usage_point=1".to_owned(),
        format!("{unit}&period=1"),
        "/v1/frequency?period=x".to_owned(),
    ] {
        network.get(&path).await.problem(400, "WrongQuery");
    }
    let far = format!("/v1/frequency?period={}", u32::MAX);
    assert!(network.get(&far).await.status.as_u16() < 500);
}

#[tokio::test]
async fn only_matching_kinds_are_taken_and_rules_answer_as_ever() {
    let network = Network::new(PRIVATE);
    let period = network.node.ledger.rules().calendar().periods_of(network.day).first;
    let other = SuspendParty { party: network.neighbour.id };
    let other = network.submission(&[&network.regulator.key], other, Vec::new());
    for path in ["/v1/frequency", "/v1/unit", "/v1/bill"] {
        for method in ["POST", "DELETE"] {
            let place = (method, path);
            send(&network, place, document(&other)).await.problem(400, "WrongKind");
            send(&network, place, "{}".to_owned()).await.problem(400, "WrongBody");
            let wrong = json!({ "submission": "AA==" }).to_string();
            send(&network, place, wrong).await.problem(400, "WrongBody");
            send(&network, place, "x".repeat(3 << 20)).await.problem(413, "BodyTooLarge");
        }
        network.post(path, "text/plain", Vec::new()).await.problem(415, "WrongContentType");
    }
    let stranger = DeleteFrequency { period };
    let signed = network.submission(&[&network.customer.key], stranger, Vec::new());
    let answer = send(&network, ("DELETE", "/v1/frequency"), document(&signed)).await;
    answer.problem(409, "SenderNotPermitted");
}
