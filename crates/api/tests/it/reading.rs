//! Every address that is read: its answer, its height, its problems.

use api::openapi::operations::Answer;
use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::kit::{Network, OPEN_DEMO, PRIVATE, key};

/// Every JSON address that is read, filled with what the network holds.
fn addresses(network: &Network) -> Vec<String> {
    addresses_with_patterns(network).into_iter().map(|(address, _)| address).collect()
}

/// The same, each with the pattern under which the API's document describes it.
pub fn addresses_with_patterns(network: &Network) -> Vec<(String, String)> {
    let parts = [
        ("{proposal}", network.proposal.to_string()),
        ("{ledger_id}", network.other_ledger.to_string()),
        ("{height}", "1".to_owned()),
        ("{transaction}", network.seal.to_string()),
        ("{key_address}", network.customer.key.public().address().to_string()),
        ("{party}", network.customer.id.to_string()),
        ("{usage_point}", network.usage_point.to_string()),
        ("{bill}", network.bill.to_string()),
        ("{tariff}", network.tariff.to_string()),
    ];
    let read = api::openapi::operations::OPERATIONS.iter().filter(|it| {
        it.is_read() && matches!(it.answer, Answer::Json(_) | Answer::Events(_) | Answer::Proof)
    });
    let mut addresses: Vec<_> = read
        .map(|operation| {
            let mut address = operation.path.to_owned();
            for (part, value) in &parts {
                address = address.replace(part, value);
            }
            if matches!(operation.path, "/v1/unit" | "/v1/bill" | "/v1/search/readings") {
                address = format!("{address}?usage_point={}", network.usage_point);
            }
            if operation.path.ends_with("/bill-draft") {
                address = format!("{address}?billing_period={}", network.day);
            }
            (address, operation.path.to_owned())
        })
        .collect();
    addresses.push(("/v1/blocks/0".to_owned(), "/v1/blocks/{height}".to_owned()));
    addresses
}

#[tokio::test]
async fn every_address_answers_from_one_height() {
    let network = Network::new(OPEN_DEMO);
    network.dispute(1_000_000);
    network.follow();
    for path in addresses(&network) {
        let seen = network.get(&path).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text());
        assert_eq!(seen.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(seen.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(seen.height(), network.node.ledger.view().height(), "{path}");
        assert!(seen.json().is_object(), "{path}");
        assert!(!seen.text().contains("\"withheld\":true"), "{path}: {}", seen.text());
    }
}

#[tokio::test]
async fn every_address_refuses_what_it_does_not_know() {
    let network = Network::new(OPEN_DEMO);
    network.dispute(1_000_000);
    network.follow();
    for path in addresses(&network) {
        let with =
            |more: &str| format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
        let seen = network.get(&with("sort=up")).await;
        let problem = seen.problem(400, "WrongQuery");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("sort")), "{problem}");
        network.get(&with("at_least=x")).await.problem(400, "WrongQuery");
        network.get(&with("at_least=1&at_least=1")).await.problem(400, "WrongQuery");
        let request = Request::put(&path).body(Body::empty()).expect("a request");
        let seen = network.send(request).await;
        seen.problem(405, "MethodNotAllowed");
        assert!(seen.header("allow").is_some_and(|it| it.starts_with("GET,HEAD")), "{path}");
        let address = path.split('?').next().unwrap_or_default();
        let below = format!("{address}/there/is/nothing").replace("/healthz", "/v1/healthz");
        network.get(&below).await.problem(404, "NoSuchAddress");
    }
}

#[tokio::test]
async fn wrong_values_are_named() {
    let network = Network::new(OPEN_DEMO);
    let point = network.usage_point;
    for (path, status, code) in [
        ("/v1/blocks/x".to_owned(), 400, "WrongPath"),
        ("/v1/blocks/99999".to_owned(), 404, "NotFound"),
        ("/v1/blocks?limit=0".to_owned(), 400, "WrongQuery"),
        ("/v1/blocks?limit=1001".to_owned(), 400, "WrongQuery"),
        ("/v1/blocks?before=-1".to_owned(), 400, "WrongQuery"),
        ("/v1/parties?after=12".to_owned(), 400, "WrongQuery"),
        ("/v1/bills/zz".to_owned(), 400, "WrongPath"),
        (format!("/v1/bills/{point}"), 404, "NotFound"),
        (format!("/v1/bills/{point}/proof"), 404, "NotFound"),
        (format!("/v1/usage-points/{}", network.bill), 404, "NotFound"),
        (format!("/v1/usage-points/{}/readings", network.bill), 404, "NotFound"),
        (format!("/v1/usage-points/{}/bills", network.bill), 404, "NotFound"),
        (format!("/v1/usage-points/{point}/readings?day=2016-02-30"), 400, "WrongQuery"),
        (format!("/v1/usage-points/{point}/charges?day=today"), 400, "WrongQuery"),
        (format!("/v1/transactions/{}", network.customer.id), 200, ""),
        (format!("/v1/transactions/{}", "0".repeat(64)), 404, "NotFound"),
        (format!("/v1/parties/{}", "0".repeat(64)), 404, "NotFound"),
        (format!("/v1/accounts/{}", "0".repeat(64)), 404, "NotFound"),
        (format!("/v1/tariffs/{}", "0".repeat(32)), 404, "NotFound"),
        ("/v1/%FF".to_owned(), 404, "NoSuchAddress"),
        ("/v1/blocks/%FF".to_owned(), 400, "WrongPath"),
    ] {
        let seen = network.get(&path).await;
        if status == 200 {
            assert_eq!(seen.status, 200, "{path}: {}", seen.text());
        } else {
            seen.problem(status, code);
            if code == "NotFound" {
                assert_eq!(seen.height(), network.node.ledger.view().height(), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_transaction_of_the_chain_can_be_read() {
    let network = Network::new(OPEN_DEMO);
    let view = network.node.ledger.view();
    for height in 1..=view.height() {
        let block = network.get(&format!("/v1/blocks/{height}")).await.json();
        for listed in block["transactions"]["items"].as_array().expect("a list") {
            let id = listed["transaction_id"].as_str().expect("an id");
            let transaction = network.get(&format!("/v1/transactions/{id}")).await.json();
            assert_eq!(transaction["kind_name"], listed["kind_name"]);
            let fields = transaction["body"].as_object().map(serde_json::Map::len);
            assert!(fields.is_some_and(|fields| fields > 0), "{transaction}");
            for event in transaction["receipt"]["events"].as_array().expect("a list") {
                assert!(event["of"].is_object() && event["withheld"].is_null(), "{event}");
            }
        }
    }
}

#[tokio::test]
async fn days_at_the_ends_of_the_calendar_are_answered() {
    let network = Network::new(OPEN_DEMO);
    for day in ["1969-12-31", "1970-01-01", "9999-12-31"] {
        for what in ["readings", "charges"] {
            let path = format!("/v1/usage-points/{}/{what}?day={day}", network.usage_point);
            assert_eq!(network.get(&path).await.status, 200, "{path}");
        }
        assert_eq!(network.get(&format!("/v1/frequency?day={day}")).await.status, 200);
        let path = format!("/usage-points/{}?day={day}", network.usage_point);
        assert_eq!(network.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn the_status_says_where_the_ledger_stands() {
    let network = Network::new(OPEN_DEMO);
    let status = network.get("/v1/status").await.json();
    let view = network.node.ledger.view();
    assert!(status["ledger_id"].as_str().is_some_and(|id| id.starts_with("demo-")));
    assert_eq!(status["name"], "Test & network");
    assert_eq!(status["demo"], true);
    assert_eq!(status["clock"], "virtual");
    assert_eq!(status["currency"]["code"], "INR");
    assert_eq!(status["height"], view.height().to_string());
    assert_eq!(status["state_root"], view.head().executed.state_root.to_string());
    assert_eq!(status["transactions"], view.head().transactions.to_string());
    let genesis = network.get("/v1/genesis").await.json();
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(genesis["bytes"].as_str().expect("bytes").as_bytes())
        .expect("base64url");
    let decoded: contracts::Genesis = primitives::codec::decode(&bytes).expect("a genesis");
    assert_eq!(status["ledger_id"], decoded.ledger_id().to_string());
}

#[tokio::test]
async fn the_network_says_who_validates_and_who_signed() {
    let network = Network::new(PRIVATE);
    let seen = network.get("/v1/network").await.json();
    let head = network.node.ledger.view().height().to_string();
    assert_eq!((&seen["orderer"], &seen["height"]), (&"solo".into(), &head.as_str().into()));
    assert_eq!((&seen["peers"], &seen["mempool"]), (&3.into(), &2.into()), "the node's own word");
    let validators = seen["validators"].as_array().expect("a list");
    assert_eq!(validators.len(), 1);
    assert_eq!(validators[0]["last_signed"], head, "a solo validator signs every block");
    let is_own = validators[0]["validator"] == seen["key"];
    assert_eq!(seen["role"], if is_own { "validator" } else { "observer" });
    assert_eq!(seen["view"], head, "the view of a solo block is its height");
    assert!(seen["block_ms"].is_u64(), "{seen}");
}

#[tokio::test]
async fn a_day_a_bill_and_a_transaction_carry_their_units() {
    let network = Network::new(OPEN_DEMO);
    let (point, day) = (network.usage_point, network.day);
    let readings =
        network.get(&format!("/v1/usage-points/{point}/readings?day={day}")).await.json();
    assert_eq!(readings["total"]["import_wh"], "24000");
    assert_eq!(readings["slots"].as_array().map(Vec::len), Some(96));
    assert_eq!(readings["slots"][0]["starts_at"], "2016-06-02T00:00:00+05:30");
    assert_eq!(readings["slots"][0]["reading"]["quality"], "actual");
    assert_eq!(readings["seal"]["transaction_id"], network.seal.to_string());
    let charges = network.get(&format!("/v1/usage-points/{point}/charges?day={day}")).await.json();
    assert_eq!(charges["slots"][0]["amount"]["amount_milli_micro"], "1250000000");
    assert_eq!(charges["slots"][0]["amount"]["amount_micro"], "1250000");
    assert_eq!(charges["slots"][0]["import_price_micro_per_kwh"], "5000000");
    assert_eq!(charges["total"]["amount_micro"], "120000000");
    let bill = network.get(&format!("/v1/bills/{}", network.bill)).await.json();
    assert_eq!(bill["total_micro"], "120000000");
    assert_eq!((&bill["open_micro"], &bill["status"]), (&"120000000".into(), &"open".into()));
    assert_eq!(bill["lines"][0]["energy_wh"], "24000");
    assert_eq!(bill["billing_period"], "2016-06-02");
    let frequency = network.get(&format!("/v1/frequency?day={day}")).await.json();
    assert_eq!(frequency["slots"][95]["frequency_millihertz"], 50_000);
    let seal = network.get(&format!("/v1/transactions/{}", network.seal)).await.json();
    assert_eq!((&seal["kind"], &seal["kind_name"]), (&202.into(), &"SealDay".into()));
    assert_eq!(seal["body"]["last"]["import_wh"], "24000");
    assert_eq!(seal["valid_until"], Value::Null);
    assert_eq!(seal["receipt"]["name"], "Accepted");
    assert_eq!(seal["receipt"]["events"][0]["name"], "DaySealed");
    assert!(seal["raw"].is_string() && seal["payload"].is_string());
    let tariff = network.get(&format!("/v1/tariffs/{}", network.tariff)).await.json();
    assert_eq!(tariff["versions"][0]["terms"]["import"]["price_micro_per_kwh"], "5000000");
}

#[tokio::test]
async fn keys_count_on_from_their_highest_sequence() {
    let network = Network::new(PRIVATE);
    let used = network.distributor.key.public().address();
    let known = network.get(&format!("/v1/keys/{used}/sequence")).await.json();
    assert_eq!((&known["highest_sequence"], &known["next_sequence"]), (&"5".into(), &"6".into()));
    assert_eq!(known["party"], network.distributor.id.to_string());
    let fresh = key("never seen").public().address();
    let fresh = network.get(&format!("/v1/keys/{fresh}/sequence")).await.json();
    assert_eq!((&fresh["registered"], &fresh["next_sequence"]), (&false.into(), &"1".into()));
}

#[tokio::test]
async fn lists_are_paged_without_loss() {
    let network = Network::new(OPEN_DEMO);
    for (path, cursor, id) in [
        ("/v1/parties".to_owned(), "after", "party"),
        ("/v1/blocks".to_owned(), "before", "height"),
        ("/v1/usage-points".to_owned(), "after", "usage_point"),
        ("/v1/tariffs".to_owned(), "after", "tariff"),
        ("/v1/stations".to_owned(), "after", "station"),
        (format!("/v1/accounts/{}", network.customer.id), "after", "account"),
        (format!("/v1/usage-points/{}/bills", network.usage_point), "after", "bill"),
    ] {
        let all = network.get(&format!("{path}?limit=1000")).await.json();
        let ids = |page: &Value| -> Vec<String> {
            let items = page["items"].as_array().expect("items");
            items.iter().map(|item| item[id].as_str().expect("an id").to_owned()).collect()
        };
        let all = ids(&all);
        assert!(!all.is_empty(), "{path}");
        let mut walked = Vec::new();
        let mut next = String::new();
        loop {
            let page = network.get(&format!("{path}?limit=1{next}")).await.json();
            walked.extend(ids(&page));
            let Some(found) = page["next"].as_str() else { break };
            next = format!("&{cursor}={found}");
        }
        assert_eq!(walked, all, "{path}");
    }
    let accounts = network.get(&format!("/v1/accounts/{}", network.customer.id)).await.json();
    assert_eq!(accounts["items"][0]["balance_micro"], "100000000");
    assert_eq!(accounts["items"][1]["balance_micro"], "-120000000");
}

#[tokio::test(start_paused = true)]
async fn at_least_waits_for_the_height_and_then_gives_up() {
    let network = Network::new(PRIVATE);
    let height = network.node.ledger.view().height();
    let path = format!("/v1/status?at_least={}", height + 1);
    let seen = network.get(&path).await;
    seen.problem(503, "NotReached");
    assert_eq!(seen.header("retry-after"), Some("1"));
    let node = network.node.clone();
    let waiting = network.get(&path);
    let appending = async move {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        node.append(Vec::new());
    };
    let (seen, ()) = tokio::join!(waiting, appending);
    assert_eq!((seen.status.as_u16(), seen.height()), (200, height + 1));
}

#[tokio::test(start_paused = true)]
async fn a_proof_waits_for_a_header_that_commits_to_it() {
    let network = Network::new(OPEN_DEMO);
    let path = format!("/v1/bills/{}/proof", network.bill);
    assert_eq!(network.get(&path).await.json()["bill"], network.bill.to_string());
    let mut network = Network::new(OPEN_DEMO);
    *network.node.closes.lock().expect("unpoisoned") = false;
    network.bill_another_day();
    let height = network.node.ledger.view().height();
    let path = format!("/v1/bills/{}/proof", network.bill);
    let seen = network.get(&path).await;
    seen.problem(503, "NotProvable");
    assert_eq!(seen.header("retry-after"), Some("1"));
    *network.node.closes.lock().expect("unpoisoned") = true;
    let seen = network.get(&path).await;
    assert_eq!((seen.status.as_u16(), seen.height()), (200, height + 1));
}
