//! Rich queries: equal to a pass over the whole ledger, the same after a rebuild, within the rights.

use std::sync::Arc;
use std::time::Duration;

use contracts::billing::PayBill;
use contracts::registry::SuspendParty;
use ledger::Reader;
use primitives::units::MicroCurrency;
use serde_json::Value;

use crate::accounts::eventful;
use crate::kit::{Doors, Network, OPEN_DEMO, PRIVATE, Setup};
use crate::sessions::token;

/// A network with two bills, a payment, a rejection and a suspension.
fn busy(setup: Setup) -> Network {
    let mut network = Network::new(setup);
    network.bill_another_day();
    let body = PayBill { usage_point: network.usage_point, amount: MicroCurrency::new(50_000_000) };
    network.accept(&[&network.customer.key], body, Vec::new());
    let body = SuspendParty { party: network.neighbour.id };
    network.accept(&[&network.regulator.key], body.clone(), Vec::new());
    let wrong = network.submission(&[&network.customer.key], body, Vec::new());
    network.order_one(wrong);
    network.follow();
    network
}

async fn items(network: &Network, path: &str) -> Vec<Value> {
    let seen = network.get(path).await;
    assert_eq!(seen.status, 200, "{path}: {}", seen.text());
    assert_eq!(seen.height(), network.model.height().expect("it has followed"));
    seen.json()["items"].as_array().expect("items").clone()
}

fn words<'a>(items: &'a [Value], name: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[name].as_str().expect("a text")).collect()
}

/// Id, name of the kind, code, and every id that it names in public.
type Seen = (String, String, u64, String);

/// Every transaction, newest first.
async fn brute_force(network: &Network) -> Vec<Seen> {
    let mut found = Vec::new();
    for height in 1..=network.node.ledger.view().height() {
        let block = network.get(&format!("/v1/blocks/{height}")).await.json();
        for listed in block["transactions"]["items"].as_array().expect("a list") {
            let id = listed["transaction_id"].as_str().expect("an id").to_owned();
            let detail = network.get(&format!("/v1/transactions/{id}")).await.json();
            let mut named = String::new();
            for event in detail["receipt"]["events"].as_array().expect("a list") {
                named.push_str(&event["of"].to_string());
                if let Some(bill) = event["of"]["bill"].as_str() {
                    let bill = network.get(&format!("/v1/bills/{bill}")).await.json();
                    for member in ["usage_point", "customer", "biller"] {
                        named.push_str(bill[member].as_str().expect("an id"));
                    }
                }
            }
            let signer: primitives::key::PublicKey =
                detail["signer"].as_str().expect("a key").parse().expect("a key");
            let key = network.get(&format!("/v1/keys/{}", signer.address())).await.json();
            named.push_str(key["party"].as_str().unwrap_or_default());
            if let Some(point) = key["usage_point"].as_str() {
                named.push_str(point);
                named.push_str(&signer.address().to_string());
            }
            let name = detail["kind_name"].as_str().expect("a name").to_owned();
            let code = detail["receipt"]["code"].as_u64().expect("a code");
            found.push((id, name, code, named));
        }
    }
    found.reverse();
    found
}

#[tokio::test]
async fn answers_equal_a_pass_over_the_ledger() {
    let network = busy(OPEN_DEMO);
    let all = brute_force(&network).await;
    let expect = |which: &dyn Fn(&Seen) -> bool| -> Vec<String> {
        all.iter().filter(|it| which(it)).map(|it| it.0.clone()).collect()
    };
    let path = "/v1/search/transactions?limit=1000";
    assert_eq!(words(&items(&network, path).await, "transaction_id"), expect(&|_| true));
    let parties = [&network.customer, &network.distributor, &network.grid, &network.neighbour];
    for party in parties.map(|it| it.id.to_string()) {
        let found = items(&network, &format!("{path}&party={party}")).await;
        assert_eq!(words(&found, "transaction_id"), expect(&|it| it.3.contains(&party)), "{party}");
        let found = items(&network, &format!("{path}&party={party}&kind=IssueBill")).await;
        let expected = expect(&|it| it.3.contains(&party) && it.1 == "IssueBill");
        assert_eq!(words(&found, "transaction_id"), expected);
    }
    let meter = network.meter.public().address().to_string();
    for (name, id) in [
        ("usage_point", network.usage_point.to_string()),
        ("bill", network.bill.to_string()),
        ("meter", meter),
    ] {
        let found = items(&network, &format!("{path}&{name}={id}")).await;
        assert!(!found.is_empty(), "{name}");
        assert_eq!(words(&found, "transaction_id"), expect(&|it| it.3.contains(&id)), "{name}");
    }
    let found = items(&network, &format!("{path}&code=106")).await;
    assert_eq!(words(&found, "transaction_id"), expect(&|it| it.2 == 106));
    let day = network.day;
    let found = items(&network, &format!("{path}&from_day={day}&to_day={day}&kind=SealDay")).await;
    assert_eq!(words(&found, "transaction_id"), [network.seal.to_string()]);
    let period = network.node.ledger.rules().calendar().periods_of(day).first.get();
    let found = items(&network, &format!("{path}&from_period={period}&kind=202")).await;
    assert_eq!(words(&found, "transaction_id"), [network.seal.to_string()]);
}

#[tokio::test]
async fn bills_and_payments_are_found_by_state_and_amount() {
    let network = busy(OPEN_DEMO);
    let point = network.usage_point;
    let bills = items(&network, "/v1/search/bills").await;
    let mut expected = network.get(&format!("/v1/usage-points/{point}/bills")).await.json();
    let expected = expected["items"].as_array_mut().expect("items");
    expected.reverse();
    assert_eq!(&bills, expected);
    assert_eq!(bills[1]["paid_micro"], "50000000");
    for (query, count) in [
        ("state=open", 2),
        ("state=paid", 0),
        ("amount_min=120000000&amount_max=120000000", 2),
        ("amount_min=120000001", 0),
        ("amount_max=119999999", 0),
    ] {
        let found = items(&network, &format!("/v1/search/bills?{query}")).await;
        assert_eq!(found.len(), count, "{query}");
    }
    let day = network.day;
    let found = items(&network, &format!("/v1/search/bills?from_day={day}")).await;
    assert_eq!(words(&found, "bill"), [network.bill.to_string()]);
    let payments = items(&network, "/v1/search/payments").await;
    assert_eq!(words(&payments, "kind_name"), ["PayBill", "BuyTokens"]);
    assert_eq!(words(&payments, "amount_micro"), ["50000000", "100000000"]);
    assert_eq!(payments[0]["payer"], network.customer.id.to_string());
    assert_eq!(payments[0]["usage_point"], point.to_string());
    for (query, count) in [
        (format!("usage_point={point}"), 1),
        (format!("party={}", network.aggregator.id), 1),
        ("kind=BuyTokens".to_owned(), 1),
        ("amount_max=50000000".to_owned(), 1),
        (format!("from_day={}", network.day.next().expect("a day")), 1),
    ] {
        let found = items(&network, &format!("/v1/search/payments?{query}")).await;
        assert_eq!(found.len(), count, "{query}");
    }
}

/// Every answer of a set of questions, page by page.
async fn answers(network: &Network) -> Vec<Value> {
    let mut answers = Vec::new();
    let (party, point) = (network.customer.id, network.usage_point);
    for question in [
        "/v1/search/transactions?limit=3".to_owned(),
        format!("/v1/search/transactions?limit=3&party={party}"),
        "/v1/search/bills?limit=3".to_owned(),
        format!("/v1/search/bills?limit=3&party={party}"),
        "/v1/search/payments?limit=3".to_owned(),
        format!("/v1/search/payments?limit=3&party={party}"),
        "/v1/search/disputes?limit=1".to_owned(),
        "/v1/search/parties?limit=3".to_owned(),
        "/v1/search/meters?limit=1".to_owned(),
        format!("/v1/accounts/{party}/history?limit=3"),
        format!("/v1/usage-points/{point}/statement?limit=3"),
    ] {
        let mut next = String::new();
        loop {
            let path = format!("{question}{next}");
            let page = network.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            let page = page.json();
            answers.push(page["items"].clone());
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&after={cursor}");
        }
    }
    answers
}

#[tokio::test]
async fn a_model_that_followed_block_by_block_equals_one_built_at_once() {
    let network = eventful(OPEN_DEMO);
    // It has read the network in two passes; now the rest block by block.
    network.bill_again(network.day);
    network.follow();
    network.correct_last_slot(network.day);
    network.follow();
    let stale = items(&network, &format!("/v1/search/bills?bill={}", network.bill)).await;
    assert!(stale[0]["stale_since"].is_string(), "an amendment makes a bill stale: {stale:?}");
    let listed = network.get(&format!("/v1/usage-points/{}/bills", network.usage_point)).await;
    assert!(listed.json()["items"].as_array().expect("items").contains(&stale[0]));
    let suspended = SuspendParty { party: network.neighbour.id };
    network.accept(&[&network.regulator.key], suspended, Vec::new());
    network.follow();
    let followed = answers(&network).await;
    network.model.drop_file().expect("it is dropped");
    network.follow();
    assert_eq!(answers(&network).await, followed);
}

#[tokio::test]
async fn parties_and_meters_are_found_by_what_they_are() {
    let network = busy(OPEN_DEMO);
    let listed = network.get("/v1/parties?limit=1000").await.json();
    let mut listed = listed["items"].as_array().expect("items").clone();
    let mut found = items(&network, "/v1/search/parties?limit=1000").await;
    for list in [&mut listed, &mut found] {
        list.sort_by_key(|party| party["party"].to_string());
    }
    assert_eq!(found, listed, "as the state lists them");
    let party = network.customer.id;
    for (query, count) in [
        ("role=distributor".to_owned(), 2),
        ("role=regulator".to_owned(), 1),
        ("role=operator".to_owned(), 0),
        ("state=suspended".to_owned(), 1),
        ("state=active&role=consumer".to_owned(), 1),
        ("alias=alias%20of%20customer".to_owned(), 1),
        ("region=north".to_owned(), 7),
        (format!("party={party}"), 1),
    ] {
        let found = items(&network, &format!("/v1/search/parties?{query}")).await;
        assert_eq!(found.len(), count, "{query}");
    }
    let meter = network.meter.public().address().to_string();
    let first =
        network.node.ledger.rules().calendar().periods_of("2016-06-01".parse().expect("a day"));
    for (query, count) in [
        (String::new(), 1),
        (format!("meter={meter}"), 1),
        (format!("usage_point={}", network.usage_point), 1),
        ("state=in_service".to_owned(), 1),
        ("state=replaced".to_owned(), 0),
        (format!("to_period={}", first.first.get() - 1), 0),
        (format!("from_period={}", first.first.get() + 1_000), 1),
    ] {
        let found = items(&network, &format!("/v1/search/meters?{query}")).await;
        assert_eq!(found.len(), count, "{query}");
        assert!(found.iter().all(|it| it["meter"] == meter.as_str()));
    }
}

#[tokio::test]
async fn readings_are_found_by_meter_and_slots() {
    let network = busy(OPEN_DEMO);
    let day = network.day;
    let correcting = network.correct_last_slot(day).to_string();
    let periods = network.node.ledger.rules().calendar().periods_of(day);
    let (first, last) = (periods.first.get(), periods.first.get() + 95);
    let meter = network.meter.public().address();
    let read = async |query: &str| {
        let seen = network.get(&format!("/v1/search/readings?{query}")).await;
        assert_eq!(seen.status, 200, "{query}: {}", seen.text());
        seen.json()
    };
    let point = network.usage_point;
    let all = read(&format!("usage_point={point}&limit=1000")).await;
    // Two days, both sealed.
    assert_eq!(all["items"].as_array().expect("items").len(), 192);
    let of_meter = read(&format!("meter={meter}&from_day={day}&to_day={day}")).await;
    let of_meter = of_meter["items"].as_array().expect("items").clone();
    assert_eq!(of_meter.len(), 96);
    assert_eq!(of_meter[0]["transaction_id"], network.seal.to_string());
    assert_eq!(of_meter[0]["reading"]["import_wh"], "250");
    assert_eq!(
        (&of_meter[95]["state"], &of_meter[95]["reading"]["import_wh"]),
        (&"corrected".into(), &"1000".into())
    );
    assert_eq!(of_meter[95]["transaction_id"], correcting.as_str());
    for (query, count) in [
        (format!("from_period={first}&to_period={}", first + 3), 4),
        (format!("from_period={last}"), 1),
        ("state=corrected".to_owned(), 1),
        ("state=single".to_owned(), 0),
        (format!("from_day={}", day.next().expect("a day")), 0),
    ] {
        let found = read(&format!("usage_point={point}&limit=1000&{query}")).await;
        assert_eq!(found["items"].as_array().expect("items").len(), count, "{query}");
    }
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let page = read(&format!("usage_point={point}&limit=50{next}")).await;
        paged.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&after={cursor}");
    }
    assert_eq!(&paged, all["items"].as_array().expect("items"));
    network.get("/v1/search/readings").await.problem(400, "WrongQuery");
}

#[tokio::test]
async fn a_single_reading_is_found_before_its_day_is_sealed() {
    let network = Network::new(OPEN_DEMO);
    let day = network.day.next().expect("a day");
    network.wait_days(1);
    let single = network.submit_slot(day, 3).to_string();
    let path = format!("/v1/search/readings?usage_point={}&from_day={day}", network.usage_point);
    let found = network.get(&path).await.json();
    assert_eq!(found["items"].as_array().expect("items").len(), 1);
    assert_eq!(found["items"][0]["state"], "single");
    assert_eq!(found["items"][0]["transaction_id"], single.as_str());
}

#[tokio::test]
async fn a_dropped_damaged_or_old_model_is_built_again_and_answers_the_same() {
    let network = busy(OPEN_DEMO);
    let before = answers(&network).await;
    assert!(before.len() > 10);
    let whole = items(&network, "/v1/search/transactions?limit=1000").await;
    let paged: Vec<Value> =
        before.iter().flat_map(|it| it.as_array().cloned().unwrap_or_default()).collect();
    assert_eq!(paged[..whole.len()], whole[..], "pages lose nothing");
    network.model.drop_file().expect("it is dropped");
    network.get("/v1/search/bills").await.problem(503, "ReadModelNotReady");
    network.follow();
    assert_eq!(answers(&network).await, before);

    let path = network.folder.path().join("read-model.sqlite");
    let fresh = || api::ReadModel::new(&path);
    let view = network.node.ledger.view();
    network.model.drop_file().expect("it is dropped");
    for damage in [b"not a database at all".to_vec(), vec![0; 9_000]] {
        std::fs::write(&path, damage).expect("it is written");
        fresh().catch_up(&view).expect("it is built again");
        network.follow();
        assert_eq!(answers(&network).await, before);
        network.model.drop_file().expect("it is dropped");
    }
    fresh().catch_up(&view).expect("it is built");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection.pragma_update(None, "user_version", 77).expect("it is written");
    drop(connection);
    network.follow();
    assert_eq!(answers(&network).await, before);
}

#[tokio::test]
async fn nothing_private_is_found_or_found_by() {
    let network = busy(PRIVATE);
    let hidden = items(&network, "/v1/search/bills").await;
    assert_eq!(hidden.len(), 2);
    for bill in &hidden {
        assert_eq!(bill["withheld"], true);
        assert!(bill["total_micro"].is_null() && bill["status"].is_null(), "{bill}");
    }
    let payments = items(&network, "/v1/search/payments").await;
    assert!(payments.iter().all(|it| it["withheld"] == true && it["amount_micro"].is_null()));
    for query in [
        "bills?state=open",
        "bills?amount_min=1",
        "payments?amount_min=1",
        "disputes?state=open",
        "parties?alias=alias%20of%20customer",
        "parties?region=north&role=consumer",
    ] {
        assert_eq!(items(&network, &format!("/v1/search/{query}")).await.len(), 0, "{query}");
    }
    for (member, bills, payments) in [
        (&network.customer, 2, 2),
        (&network.distributor, 2, 1),
        (&network.grid, 2, 0),
        (&network.aggregator, 0, 1),
        (&network.neighbour, 0, 0),
        (&network.other_distributor, 0, 0),
        (&network.provider, 0, 0),
        (&network.regulator, 2, 2),
    ] {
        let token = token(&network, member).await;
        let count = async |path: &str| {
            let page = network.get_as(path, &token).await.json();
            page["items"].as_array().expect("items").len()
        };
        let found = count("/v1/search/bills?amount_min=1").await;
        assert_eq!((found, count("/v1/search/payments?amount_min=1").await), (bills, payments));
    }
}

#[tokio::test]
async fn wrong_questions_are_named_and_at_least_waits_for_the_model() {
    let network = Network::new(OPEN_DEMO);
    for query in [
        "transactions?state=open",
        "transactions?amount_min=1",
        "transactions?kind=Nothing",
        "transactions?party=12",
        "bills?meter=12",
        "parties?usage_point=12",
        "meters?role=distributor",
        "disputes?kind=PayBill",
        "readings?meter=12",
        "bills?amount_min=1.5",
        "payments?after=1",
        "payments?limit=0",
        "payments?from_day=2016-02-30",
    ] {
        network.get(&format!("/v1/search/{query}")).await.problem(400, "WrongQuery");
    }
    let reader: Arc<dyn Reader> = Arc::new(Doors(Arc::clone(&network.node)));
    let following = tokio::spawn(Arc::clone(&network.model).follow(reader));
    network.node.append(Vec::new());
    let height = network.node.ledger.view().height();
    let path = format!("/v1/search/bills?at_least={height}");
    let seen = tokio::time::timeout(Duration::from_secs(20), network.get(&path)).await;
    assert_eq!(seen.expect("in time").height(), height);
    following.abort();
}
