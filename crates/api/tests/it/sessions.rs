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

/// Who sees the values of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seers {
    /// Those who see the usage point: customer, biller, grid operator, regulator.
    OfThePoint,
    /// The party itself and the regulator.
    OfTheParty,
    /// The same, and who shares the account.
    OfTheDues,
    /// The household itself, its aggregator, the regulator.
    OfTheTokens,
    /// Everybody: nothing at the address is private.
    Everybody,
}

/// An address, its pattern, and how to tell that its values are there.
struct Guarded {
    pattern: &'static str,
    path: String,
    seers: Seers,
    values: Values,
}

fn any(items: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    items.as_array().is_some_and(|items| items.iter().any(holds))
}

fn has_account(items: &Value, name: &str) -> bool {
    any(items, |item| item["account"].as_str().is_some_and(|it| it.starts_with(name)))
}

fn amount(it: &Value) -> bool {
    it["amount_micro"].is_string()
}

/// A proof file is either given or refused.
const GIVEN: Values = |it| it["status"].is_null();

/// Every address that answers with JSON, and what is private there.
#[rustfmt::skip]
fn table(network: &Network) -> Vec<Guarded> {
    use Seers::{Everybody, OfTheDues, OfTheParty, OfThePoint, OfTheTokens};
    let Network { usage_point, day, bill, seal, tariff, .. } = network;
    let (party, biller) = (network.customer.id, network.distributor.id);
    let key = network.customer.key.public().address();
    let of = |pattern, seers, more: &str, values| {
        let path = [("{usage_point}", usage_point.to_string()), ("{bill}", bill.to_string()),
            ("{transaction}", seal.to_string()), ("{party}", party.to_string()),
            ("{key_address}", key.to_string()), ("{tariff}", tariff.to_string()),
            ("{proposal}", network.proposal.to_string()),
            ("{ledger_id}", network.other_ledger.to_string()),
            ("{height}", "1".to_owned())]
            .iter().fold(format!("{pattern}{more}"), |path, (part, value)| path.replace(part, value));
        Guarded { pattern, path, seers, values }
    };
    let point = |pattern, more: &str, values| of(pattern, OfThePoint, more, values);
    let open = |pattern, more: &str| of(pattern, Everybody, more, |_| true);
    let this_day = format!("?day={day}");
    let this_period = format!("?billing_period={day}");
    let of_point = format!("?usage_point={usage_point}");
    let slots: Values = |it| it["slots"].is_array() || it["total"].is_object();
    vec![
        point("/v1/usage-points/{usage_point}", "", |it| it["label"].is_string()),
        point("/v1/usage-points/{usage_point}", "", |it| it["connection_limit_w"].is_string() && it["credit_micro"].is_string()),
        point("/v1/usage-points", "", |it| it["items"][0]["label"].is_string()),
        point("/v1/usage-points/{usage_point}/readings", &this_day, slots),
        point("/v1/usage-points/{usage_point}/estimate", &this_day, |it| any(&it["known"], |_| true)),
        point("/v1/usage-points/{usage_point}/registers", &this_day, |it| it["import_wh"].is_string() || it["period"].is_object()),
        point("/v1/usage-points/{usage_point}/charges", &this_day, slots),
        point("/v1/usage-points/{usage_point}/bill-draft", &this_period, |it| it["lines"].is_array()),
        point("/v1/usage-points/{usage_point}/bills", "", |it| it["items"][0]["total_micro"].is_string()),
        point("/v1/usage-points/{usage_point}/dues", "", |it| it["open_micro"].is_string() || any(&it["bills"], |bill| bill["open_micro"].is_string()) || any(&it["disputes"], amount)),
        point("/v1/usage-points/{usage_point}/statement", "", |it| it["opening_micro"].is_string() || it["closing_micro"].is_string() || any(&it["items"], |it| amount(it) || it["balance_micro"].is_string())),
        point("/v1/usage-points/{usage_point}/statements", "", |it| any(&it["items"], |it| it["total_micro"].is_string() || any(&it["bills"], |bill| bill["total_micro"].is_string()))),
        point("/v1/bills/{bill}", "", |it| it["total_micro"].is_string() || it["lines"].is_array()),
        point("/v1/bills/{bill}/dispute", "", |it| amount(it) || it["held_micro"].is_string()),
        point("/v1/bills/{bill}/proof", "", GIVEN),
        point("/v1/transactions/{transaction}", "", |it| it["body"].is_object() || it["raw"].is_string() || it["payload"].is_string()),
        // The receipt of a seal holds nothing private; the transaction itself is for those who see it.
        point("/v1/transactions/{transaction}/proof", "", |it| it["whole"] == true),
        of("/v1/transactions/{transaction}/proof", OfTheTokens, "", GIVEN),
        point("/v1/unit", &format!("{of_point}&day={day}"), slots),
        point("/v1/bill", &format!("{of_point}&day={day}"), slots),
        point("/v1/search/bills", "", |it| any(&it["items"], |it| it["total_micro"].is_string())),
        point("/v1/search/bills", "?state=open", |it| any(&it["items"], |_| true)),
        point("/v1/search/bills", "?amount_min=1", |it| any(&it["items"], |_| true)),
        point("/v1/search/disputes", "", |it| any(&it["items"], amount)),
        point("/v1/search/disputes", "?state=open", |it| any(&it["items"], |_| true)),
        point("/v1/search/readings", &of_point, |it| any(&it["items"], |it| it["reading"].is_object())),
        of("/v1/search/payments", OfTheTokens, "?kind=BuyTokens", |it| any(&it["items"], amount)),
        of("/v1/search/payments", OfTheTokens, "?kind=BuyTokens&amount_min=1", |it| any(&it["items"], |_| true)),
        of("/v1/search/parties", OfTheParty, "?party={party}", |it| it["items"][0]["alias"].is_string()),
        of("/v1/search/parties", OfTheParty, "?alias=alias%20of%20customer", |it| any(&it["items"], |_| true)),
        of("/v1/accounts/{party}", OfTheParty, "", |it| has_account(&it["items"], "wallet")),
        of("/v1/accounts/{party}", OfTheDues, "", |it| has_account(&it["items"], "dues-")),
        of("/v1/accounts/{party}/history", OfTheTokens, "?account=wallet", |it| any(&it["items"], amount)),
        of("/v1/accounts/{party}/history", OfTheDues, &format!("?account=dues-{biller}"), |it| any(&it["items"], amount)),
        of("/v1/parties/{party}", OfTheParty, "", |it| has_account(&it["accounts"]["items"], "wallet")),
        of("/v1/parties/{party}", OfTheParty, "", |it| it["alias"].is_string()),
        of("/v1/parties", OfTheParty, "?limit=1000", |it| it["items"].as_array().is_some_and(|all| all.iter().all(|it| it["alias"].is_string() || !it["roles"].to_string().contains("producer")))),
        Guarded { path: format!("/v1/parties/{biller}/dues"), ..point("/v1/parties/{party}/dues", "", |it| any(&it["items"], |it| it["open_micro"].is_string())) },
        point("/v1/events", "?topics=bill&limit=1000", |it| any(&it["items"], |it| it["values"]["total_micro"].is_string())),
        // Ids, hashes, codes and kinds, and what is public by its nature.
        open("/v1/status", ""),
        open("/v1/genesis", ""),
        open("/v1/network", ""),
        open("/v1/blocks", ""),
        open("/v1/blocks/{height}", ""),
        open("/v1/keys/{key_address}", ""),
        open("/v1/keys/{key_address}/sequence", ""),
        open("/v1/stations", ""),
        open("/v1/frequency", ""),
        open("/v1/governance", ""),
        open("/v1/nodes", ""),
        open("/v1/head", ""),
        open("/v1/ledgers", ""),
        open("/v1/ledgers/{ledger_id}", ""),
        open("/v1/ledgers/{ledger_id}/heads", ""),
        open("/v1/proposals", ""),
        open("/v1/proposals/{proposal}", ""),
        open("/v1/tariffs", ""),
        open("/v1/tariffs/{tariff}", ""),
        open("/v1/search/transactions", ""),
        open("/v1/search/meters", ""),
        open("/v1/session/nonce", ""),
        open("/v1/openapi.json", ""),
        open("/healthz", ""),
    ]
}

/// Addresses that another test looks at, and why they are not in the table.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("get", "/v1/live", "live.rs: every frame within the rights of its session"),
    ("get", "/v1/snapshot", "snapshot.rs: the node's organisation and regulators"),
    ("get", "/metrics", "metrics.rs: numbers without ids and amounts"),
    ("get", "/", "pages.rs: made of the same answers"),
    ("get", "/usage-points/{usage_point}", "pages.rs"),
    ("get", "/bills/{bill}", "pages.rs"),
    ("get", "/blocks", "pages.rs"),
    ("get", "/blocks/{height}", "pages.rs"),
    ("get", "/transactions/{transaction}", "pages.rs"),
    ("get", "/api", "openapi.rs: the same for everybody"),
    // What is written carries its own signature; who may send it is a rule of the ledger.
    ("post", "/v1/transactions", "submitting.rs"),
    ("post", "/v1/session", "sessions.rs"),
    ("post", "/v1/frequency", "verbs.rs"),
    ("delete", "/v1/frequency", "verbs.rs"),
    ("post", "/v1/unit", "verbs.rs"),
    ("delete", "/v1/unit", "verbs.rs"),
    ("post", "/v1/bill", "verbs.rs"),
    ("delete", "/v1/bill", "verbs.rs"),
];

/// A network in which every address has something to show.
fn furnished() -> Network {
    let mut network = Network::new(PRIVATE);
    network.furnish();
    network.dispute(1_000_000);
    network.follow();
    network
}

#[tokio::test]
async fn every_address_of_the_document_is_looked_at() {
    let network = furnished();
    let document = network.get("/v1/openapi.json").await.json();
    let table = table(&network);
    let mut known: Vec<(&str, &str)> = table.iter().map(|it| ("get", it.pattern)).collect();
    known.extend(ELSEWHERE.iter().map(|(method, path, _)| (*method, *path)));
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let it = (method.as_str(), path.as_str());
            assert!(known.contains(&it), "{it:?} is missing: say who may see what there");
            described.push(it);
        }
    }
    for it in known {
        assert!(described.contains(&it), "{it:?} is no address of the document");
    }
}

#[tokio::test]
async fn every_role_at_every_address() {
    let network = furnished();
    let bought = network.bought;
    let roles: Vec<(&str, Option<&Member>, &[Seers])> = {
        use Seers::{OfTheDues, OfTheParty, OfThePoint, OfTheTokens};
        vec![
            ("stranger", None, &[]),
            (
                "customer",
                Some(&network.customer),
                &[OfThePoint, OfTheParty, OfTheDues, OfTheTokens],
            ),
            ("biller", Some(&network.distributor), &[OfThePoint, OfTheDues]),
            ("grid operator", Some(&network.grid), &[OfThePoint]),
            (
                "regulator",
                Some(&network.regulator),
                &[OfThePoint, OfTheParty, OfTheDues, OfTheTokens],
            ),
            ("other distributor", Some(&network.other_distributor), &[]),
            ("aggregator", Some(&network.aggregator), &[OfTheTokens]),
            ("network provider", Some(&network.provider), &[]),
            ("neighbour", Some(&network.neighbour), &[]),
        ]
    };
    let mut wrong = Vec::new();
    for (role, member, sees) in roles {
        let token = match member {
            Some(member) => Some(token(&network, member).await),
            None => None,
        };
        for Guarded { pattern, path, seers, values } in table(&network) {
            let of_tokens = seers == Seers::OfTheTokens && pattern.ends_with("/proof");
            let path = if of_tokens { format!("/v1/transactions/{bought}/proof") } else { path };
            let seen = match &token {
                Some(token) => network.get_as(&path, token).await,
                None => network.get(&path).await,
            };
            let entitled = seers == Seers::Everybody || sees.contains(&seers);
            let answer = seen.json();
            let refused = ["/v1/bills/{bill}/proof", "/v1/usage-points/{usage_point}/bill-draft"];
            if !entitled && (of_tokens || refused.contains(&pattern)) {
                if answer["code"] != "NotEntitled" {
                    wrong.push(format!("{role} at {path}: {answer:#}"));
                }
                continue;
            }
            if seen.status != 200 || values(&answer) != entitled {
                wrong.push(format!("{role} at {path}, entitled = {entitled}: {answer:#}"));
            }
            if !entitled && member.is_none() {
                wrong
                    .extend(values_in(&answer).into_iter().map(|name| format!("{name} at {path}")));
            }
        }
    }
    // All of them at once: a change of the rights shows what it opens and closes.
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first amount or energy in an answer; without rights there is none.
fn values_in(answer: &Value) -> Option<String> {
    // Fine rules, backing limits and where a meter's registers start again are public.
    let public = ["threshold_micro", "fixed_micro", "limit_micro", "register_limit_wh"];
    let mut open = vec![answer];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                for (name, member) in members {
                    let is_value = name.ends_with("_micro") || name.ends_with("_wh");
                    if is_value && !public.contains(&name.as_str()) && !member.is_null() {
                        return Some(name.clone());
                    }
                    open.push(member);
                }
            }
            _ => {}
        }
    }
    None
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
