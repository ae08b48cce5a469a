//! Sessions, and what each reader sees at each address.

use std::time::Duration;

use api::session::{Claim, Nonce};
use contracts::registry::{AddKey, Holder, RevokeKey, SuspendParty};
use primitives::identifier::LedgerId;
use primitives::key::SigningKey;
use serde_json::{Value, json};

use crate::kit::{HOST, Member, Network, OPEN_DEMO, PRIVATE, Seen, Setup, key};

/// A login whose every part can be replaced.
struct Login {
    claim: Claim,
    signer: SigningKey,
}

async fn nonce(network: &Network) -> Nonce {
    let answer = network.get("/v1/session/nonce").await.json();
    assert_eq!(answer["hosts"], json!([HOST]));
    answer["nonce"].as_str().expect("a nonce").parse().expect("32 bytes")
}

async fn login(network: &Network, member: &Member) -> Login {
    let claim = Claim {
        party: member.id,
        key: member.key.public(),
        nonce: nonce(network).await,
        host: HOST.parse().expect("short"),
        ledger_id: network.node.ledger.rules().ledger_id(),
    };
    Login { claim, signer: member.key.clone() }
}

impl Login {
    async fn send(&self, network: &Network) -> Seen {
        let claim = &self.claim;
        let document = json!({
            "party": claim.party.to_string(),
            "key": claim.key.to_string(),
            "nonce": claim.nonce.text(),
            "host": claim.host.as_str(),
            "ledger_id": claim.ledger_id.to_string(),
            "signature": self.signer.sign_hash(&claim.message()).to_string(),
        });
        network.post("/v1/session", "application/json", document.to_string().into_bytes()).await
    }
}

/// A session of a member.
pub async fn token(network: &Network, member: &Member) -> String {
    let seen = login(network, member).await.send(network).await;
    assert_eq!(seen.status, 201, "{}", seen.text());
    seen.json()["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_login_holds_once_and_for_this_host_and_ledger_only() {
    let network = Network::new(PRIVATE);
    let customer = network.customer.clone();
    assert_eq!(network.holder(&customer.key), Some(Holder::Party(customer.id)));
    let good = login(&network, &customer).await;
    let seen = good.send(&network).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["expires_in_seconds"]), (201, &json!(900)));
    let problem = good.send(&network).await.problem(401, "SessionRefused");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("nonce")), "{problem}");

    let mut elsewhere = login(&network, &customer).await;
    elsewhere.claim.host = "other.example:8080".parse().expect("short");
    elsewhere.send(&network).await.problem(401, "SessionRefused");
    let mut other_ledger = login(&network, &customer).await;
    other_ledger.claim.ledger_id = LedgerId::new([1; 32]);
    other_ledger.send(&network).await.problem(401, "SessionRefused");
    let mut other_key = login(&network, &customer).await;
    other_key.signer = network.neighbour.key.clone();
    other_key.send(&network).await.problem(401, "SessionRefused");
    let mut other_party = login(&network, &customer).await;
    other_party.claim.party = network.neighbour.id;
    other_party.send(&network).await.problem(401, "SessionRefused");
    let unknown = Member { id: customer.id, key: key("unknown") };
    login(&network, &unknown).await.send(&network).await.problem(401, "SessionRefused");
    let meter = Member { id: customer.id, key: network.meter.clone() };
    login(&network, &meter).await.send(&network).await.problem(401, "SessionRefused");
    let mut made_up = login(&network, &customer).await;
    made_up.claim.nonce = "A".repeat(43).parse().expect("32 bytes");
    made_up.send(&network).await.problem(401, "SessionRefused");
}

#[tokio::test]
async fn a_login_is_strict_about_its_form() {
    let network = Network::new(PRIVATE);
    for body in ["", "[]", "{}", "{\"party\":1}", "{\"party\":\"x\",\"admin\":true}"] {
        let seen = network.post("/v1/session", "application/json", body.into()).await;
        seen.problem(400, "WrongBody");
    }
    network.post("/v1/session", "text/plain", "{}".into()).await.problem(415, "WrongContentType");
    for header in ["Basic abc", "Bearer", "Bearer short", "Bearer  "] {
        let request = axum::http::Request::get("/v1/status").header("authorization", header);
        let request = request.body(axum::body::Body::empty()).expect("a request");
        network.send(request).await.problem(400, "WrongHeader");
    }
    let seen = network.get_as("/v1/status", &"A".repeat(43)).await;
    seen.problem(401, "SessionUnknown");
    assert_eq!(seen.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test(start_paused = true)]
async fn nonces_and_sessions_end() {
    let network = Network::new(PRIVATE);
    let late = login(&network, &network.customer).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    late.send(&network).await.problem(401, "SessionRefused");
    let token = token(&network, &network.customer).await;
    tokio::time::advance(Duration::from_secs(899)).await;
    assert_eq!(network.get_as("/v1/status", &token).await.status, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    network.get_as("/v1/status", &token).await.problem(401, "SessionUnknown");
}

#[tokio::test]
async fn a_session_dies_with_its_key() {
    let network = Network::new(PRIVATE);
    let second = key("second key");
    let customer = &network.customer;
    network.accept(&[&customer.key, &second], AddKey { key: second.public() }, Vec::new());
    let device = Member { id: customer.id, key: second.clone() };
    let (first, second_token) = (token(&network, customer).await, token(&network, &device).await);
    let body = RevokeKey { key: second.public().address() };
    network.accept(&[&customer.key], body, Vec::new());
    network.get_as("/v1/status", &second_token).await.problem(401, "SessionUnknown");
    login(&network, &device).await.send(&network).await.problem(401, "SessionRefused");
    assert_eq!(network.get_as("/v1/status", &first).await.status, 200);
}

/// Which values an answer holds.
type Values = fn(&Value) -> bool;

/// The address, and how to tell that its values are there. `None` = the answer is a 403 without rights.
fn guarded(network: &Network) -> Vec<(&'static str, String, Values)> {
    let Network { usage_point, day, bill, seal, customer, .. } = network;
    let party = customer.id;
    vec![
        ("label", format!("/v1/usage-points/{usage_point}"), |it| it["label"].is_string()),
        ("limit", format!("/v1/usage-points/{usage_point}"), |it| {
            it["connection_limit_w"].is_string() && it["credit_micro"].is_string()
        }),
        ("list", "/v1/usage-points".to_owned(), |it| it["items"][0]["label"].is_string()),
        ("readings", format!("/v1/usage-points/{usage_point}/readings?day={day}"), |it| {
            it["slots"].is_array() || it["total"].is_object()
        }),
        ("estimate", format!("/v1/usage-points/{usage_point}/estimate?day={day}"), |it| {
            !it["known"].as_array().is_none_or(Vec::is_empty)
        }),
        ("registers", format!("/v1/usage-points/{usage_point}/registers?day={day}"), |it| {
            it["import_wh"].is_string() || it["period"].is_object()
        }),
        ("charges", format!("/v1/usage-points/{usage_point}/charges?day={day}"), |it| {
            it["slots"].is_array() || it["total"].is_object()
        }),
        ("bills", format!("/v1/usage-points/{usage_point}/bills"), |it| {
            it["items"][0]["total_micro"].is_string()
        }),
        ("bill", format!("/v1/bills/{bill}"), |it| {
            it["total_micro"].is_string() || it["lines"].is_array()
        }),
        ("proof", format!("/v1/bills/{bill}/proof"), |it| it["bill"].is_string()),
        ("body", format!("/v1/transactions/{seal}"), |it| {
            it["body"].is_object() || it["raw"].is_string() || it["payload"].is_string()
        }),
        ("wallet", format!("/v1/accounts/{party}"), |it| has_account(&it["items"], "wallet")),
        ("dues", format!("/v1/accounts/{party}"), |it| has_account(&it["items"], "dues-")),
        ("accounts", format!("/v1/parties/{party}"), |it| {
            has_account(&it["accounts"]["items"], "wallet")
        }),
        ("alias", format!("/v1/parties/{party}"), |it| it["alias"].is_string()),
    ]
}

fn has_account(items: &Value, name: &str) -> bool {
    let starts = |item: &Value| item["account"].as_str().is_some_and(|it| it.starts_with(name));
    items.as_array().is_some_and(|items| items.iter().any(starts))
}

#[tokio::test]
async fn every_role_at_every_address() {
    let network = Network::new(PRIVATE);
    let all = guarded(&network).iter().map(|(name, ..)| *name).collect::<Vec<_>>();
    let of_the_point = [
        "label",
        "limit",
        "list",
        "readings",
        "estimate",
        "registers",
        "charges",
        "bills",
        "bill",
        "proof",
        "body",
    ];
    let biller = [&of_the_point[..], &["dues"]].concat();
    let table: Vec<(&str, Option<&Member>, Vec<&str>)> = vec![
        ("stranger", None, vec![]),
        ("customer", Some(&network.customer), all.clone()),
        ("biller", Some(&network.distributor), biller),
        ("grid operator", Some(&network.grid), of_the_point.to_vec()),
        ("regulator", Some(&network.regulator), all),
        ("other distributor", Some(&network.other_distributor), vec![]),
        ("aggregator", Some(&network.aggregator), vec![]),
        ("network provider", Some(&network.provider), vec![]),
        ("neighbour", Some(&network.neighbour), vec![]),
    ];
    for (role, member, expected) in table {
        let token = match member {
            Some(member) => Some(token(&network, member).await),
            None => None,
        };
        for (name, path, values) in guarded(&network) {
            let seen = match &token {
                Some(token) => network.get_as(&path, token).await,
                None => network.get(&path).await,
            };
            let entitled = expected.contains(&name);
            if name == "proof" && !entitled {
                seen.problem(403, "NotEntitled");
                continue;
            }
            assert_eq!(seen.status, 200, "{role} at {path}: {}", seen.text());
            let answer = seen.json();
            assert_eq!(values(&answer), entitled, "{role} sees {name} at {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_stranger_sees_ids_hashes_codes_and_kinds_only() {
    let network = Network::new(PRIVATE);
    let view = network.node.ledger.view();
    // Every transaction of the chain, with its events.
    for height in 1..=view.height() {
        for receipt in view.receipts(height).expect("the store answers") {
            let path = format!("/v1/transactions/{}", receipt.transaction);
            let seen = network.get(&path).await;
            let answer = seen.json();
            assert_eq!(answer["withheld"], true);
            assert!(answer["kind_name"].is_string() && answer["receipt"]["code"].is_u64());
            for member in ["body", "raw", "payload"] {
                assert_eq!(answer[member], Value::Null, "{member} of {answer}");
            }
            for name in ["total_micro", "amount_micro", "import_wh", "tokens_micro", "alias"] {
                assert!(!seen.text().contains(name), "{name} in {answer}");
            }
        }
    }
    let bill = network.get(&format!("/v1/bills/{}", network.bill)).await.json();
    assert_eq!(bill["withheld"], true);
    assert!(bill["bill_hash"].is_string() && bill["readings_root"].is_string());
    let day = format!("/v1/usage-points/{}/readings?day={}", network.usage_point, network.day);
    let day = network.get(&day).await.json();
    assert!(day["seal"]["day_root"].is_string() && day["withheld"] == true);
}

#[tokio::test]
async fn a_suspended_biller_loses_what_its_office_gave_it() {
    let network = Network::new(PRIVATE);
    let token = token(&network, &network.distributor).await;
    let path = format!("/v1/bills/{}", network.bill);
    assert!(network.get_as(&path, &token).await.json()["total_micro"].is_string());
    let body = SuspendParty { party: network.distributor.id };
    network.accept(&[&network.regulator.key], body, Vec::new());
    assert_eq!(network.get_as(&path, &token).await.json()["withheld"], true);
}

#[tokio::test]
async fn reads_are_open_on_demonstration_ledgers_only() {
    let open = Network::new(OPEN_DEMO);
    let path = format!("/v1/bills/{}", open.bill);
    assert!(open.get(&path).await.json()["total_micro"].is_string());
    let asked_for = Network::new(Setup { demo: false, open_reads: true });
    let path = format!("/v1/bills/{}", asked_for.bill);
    assert_eq!(asked_for.get(&path).await.json()["withheld"], true);
    assert_eq!(asked_for.get("/v1/status").await.json()["open_reads"], false);
    let closed = Network::new(Setup { demo: true, open_reads: false });
    let path = format!("/v1/bills/{}", closed.bill);
    assert_eq!(closed.get(&path).await.json()["withheld"], true);
}
