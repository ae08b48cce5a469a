//! Submitting: one transaction, many, and everything that can stand against it.

use contracts::Malformed;
use contracts::account::RedeemTokens;
use contracts::billing::PayBill;
use contracts::registry::{ReinstateParty, SuspendParty};
use ledger::SubmitError;
use primitives::codec::{Bounded, encode};
use primitives::envelope::Submission;
use primitives::identifier::PartyId;
use primitives::key::Signature;
use primitives::units::MicroCurrency;
use serde_json::json;

use crate::kit::{Network, PRIVATE, key};

const LIST: &str = "application/vnd.gridtally.submissions";
const ONE: &str = "application/octet-stream";

fn suspend(network: &Network, party: PartyId) -> Submission {
    network.submission(&[&network.regulator.key], SuspendParty { party }, Vec::new())
}

#[tokio::test]
async fn one_transaction_is_answered_by_the_status() {
    let network = Network::new(PRIVATE);
    let good = suspend(&network, network.neighbour.id);
    let seen = network.submit(&good).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let result = &seen.json()["results"][0];
    assert_eq!((&result["status"], &result["code"]), (&json!("accepted"), &json!(0)));
    assert_eq!(result["transaction_id"], good.transaction.id().to_string());
    assert_eq!(result["height"], seen.height().to_string());
    // The same bytes again: the sequence is used up, and the receipt of the first stays.
    let problem = network.submit(&good).await.problem(409, "SequenceUsed");
    assert_eq!((&problem["rule"], &problem["numbers"]), (&json!(100), &json!(["11"])));
    assert_eq!(problem["type"], "urn:gridtally:problem:sequence-used");
    let detail = "sequence 11 was used before by this key";
    assert!(problem["detail"].as_str().is_some_and(|it| it.starts_with(detail)), "{problem}");
    let id = good.transaction.id();
    assert_eq!(network.get(&format!("/v1/transactions/{id}")).await.json()["receipt"]["code"], 0);
}

#[tokio::test]
async fn a_broken_rule_is_a_conflict_with_its_height_and_numbers() {
    let network = Network::new(PRIVATE);
    let amount = MicroCurrency::new(100_000_001);
    let body = PayBill { usage_point: network.usage_point, amount };
    let seen =
        network.submit(&network.submission(&[&network.customer.key], body, Vec::new())).await;
    let problem = seen.problem(409, "InsufficientFunds");
    assert_eq!(problem["rule"], 700);
    let wanted = "the wallet holds only 100000000 micro; nothing was changed: ";
    assert!(problem["detail"].as_str().is_some_and(|it| it.starts_with(wanted)), "{problem}");
    assert_eq!(problem["numbers"], json!(["100000000"]));
    assert_eq!(problem["height"], network.node.ledger.view().height().to_string());
    assert_eq!(seen.height(), network.node.ledger.view().height());
}

#[tokio::test]
async fn what_is_not_ordered_says_why_and_when_to_come_back() {
    let network = Network::new(PRIVATE);
    let mut forged = suspend(&network, network.neighbour.id);
    forged.transaction.signatures = vec![Signature::new([1; 64])].try_into().expect("one");
    network.submit(&forged).await.problem(400, "Signature");
    let stranger = network.submission(
        &[&key("stranger")],
        SuspendParty { party: network.customer.id },
        vec![],
    );
    network.submit(&stranger).await.problem(403, "KeyNotRegistered");
    let good = suspend(&network, network.neighbour.id);
    for (error, status, code, retry_after) in [
        (SubmitError::QuotaExceeded { bound: 100 }, 429, "QuotaExceeded", Some("60")),
        (SubmitError::Overloaded, 503, "Overloaded", Some("1")),
        (SubmitError::Stopping, 503, "Stopping", Some("1")),
        (SubmitError::Malformed(Malformed::Expired), 400, "Expired", None),
    ] {
        *network.node.refuse.lock().expect("unpoisoned") = Some(error);
        let seen = network.submit(&good).await;
        let problem = seen.problem(status, code);
        assert_eq!(problem["transaction_id"], good.transaction.id().to_string());
        assert_eq!(seen.header("retry-after"), retry_after);
    }
}

#[tokio::test]
async fn a_list_is_answered_one_by_one_in_its_order() {
    let network = Network::new(PRIVATE);
    let good = suspend(&network, network.neighbour.id);
    let mut forged = good.clone();
    forged.transaction.signatures = vec![Signature::new([1; 64])].try_into().expect("one");
    let stranger = network.submission(
        &[&key("stranger")],
        ReinstateParty { party: PartyId::default() },
        vec![],
    );
    let poor = network.submission(
        &[&network.neighbour.key, &network.aggregator.key],
        RedeemTokens {
            aggregator: network.aggregator.id,
            reference: "none".parse().expect("short"),
            coin_amount: MicroCurrency::new(1_000_000),
            tokens: MicroCurrency::new(2_000_000),
        },
        Vec::new(),
    );
    let sent = vec![forged, poor, stranger, good];
    let list: Bounded<Submission, 1_000> = sent.clone().try_into().expect("four");
    let seen = network.post("/v1/transactions", LIST, encode(&list)).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let results = seen.json()["results"].as_array().expect("results").clone();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses, ["malformed", "rejected", "refused", "accepted"]);
    for (submission, result) in sent.iter().zip(&results) {
        assert_eq!(result["transaction_id"], submission.transaction.id().to_string());
    }
    assert_eq!((&results[0]["code"], &results[0]["height"]), (&json!(2), &json!(null)));
    assert_eq!(results[1]["name"], "InsufficientFunds");
    assert_eq!(results[1]["numbers"], json!(["0"]));
    assert_eq!(results[1]["height"], results[3]["height"]);
    assert_eq!(results[2]["name"], "KeyNotRegistered");
    let empty = encode(&Bounded::<Submission, 1_000>::default());
    let seen = network.post("/v1/transactions", LIST, empty).await;
    assert_eq!((seen.status.as_u16(), seen.json()), (200, json!({ "results": [] })));
}

#[tokio::test]
async fn bodies_are_bounded_and_strict() {
    let network = Network::new(PRIVATE);
    let path = "/v1/transactions";
    let large = vec![0; api::routes::MAX_SUBMISSIONS_BYTES + 1];
    network.post(path, LIST, large.clone()).await.problem(413, "BodyTooLarge");
    network.post(path, ONE, large).await.problem(413, "BodyTooLarge");
    network
        .post("/v1/session", "application/json", vec![b' '; 5_000])
        .await
        .problem(413, "BodyTooLarge");
    network.post(path, ONE, Vec::new()).await.problem(400, "WrongBody");
    // A list that claims to be longer than it may be.
    network.post(path, LIST, 1_001_u32.to_le_bytes().to_vec()).await.problem(400, "WrongBody");
    let mut longer = encode(&suspend(&network, network.neighbour.id));
    longer.push(0);
    network.post(path, ONE, longer).await.problem(400, "WrongBody");
    network.post(path, "application/json", b"{}".to_vec()).await.problem(415, "WrongContentType");
    network.post("/v1/transactions?wait=1", ONE, vec![1]).await.problem(400, "WrongQuery");
    let seen = network.get(path).await;
    seen.problem(405, "MethodNotAllowed");
    assert_eq!(seen.header("allow"), Some("POST"));
}
