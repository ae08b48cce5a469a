//! Further ledgers behind the same listener, and what those see of them who do not belong there.

use api::session::{Knock, Nonce};
use axum::body::Body;
use axum::http::Request;
use contracts::registry::{AddKey, RevokeKey};
use primitives::codec::encode;
use primitives::key::SigningKey;
use serde_json::{Value, json};

use crate::kit::{FURTHER, HOST, Network, PRIVATE, Seen, key};
use crate::sessions::token;

/// A node whose main ledger hosts a further one as `north`.
pub fn hosted() -> (Network, Network) {
    let (main, north) = (Network::new(PRIVATE), Network::new(FURTHER));
    main.hosting.host("north", north.api.clone()).expect("it is there");
    (main, north)
}

struct Door {
    knock: Knock,
    signer: SigningKey,
}

async fn door(main: &Network, ledger: &str, signer: &SigningKey) -> Door {
    let answer = main.get("/v1/session/nonce").await.json();
    let nonce: Nonce = answer["nonce"].as_str().expect("a nonce").parse().expect("32 bytes");
    let knock = Knock {
        key: signer.public(),
        nonce,
        host: HOST.parse().expect("short"),
        ledger: ledger.parse().expect("short"),
    };
    Door { knock, signer: signer.clone() }
}

impl Door {
    async fn send(&self, main: &Network, ledger: &str) -> Seen {
        let Knock { key, nonce, host, ledger: named } = &self.knock;
        let document = json!({
            "key": key.to_string(),
            "nonce": nonce.text(),
            "host": host.as_str(),
            "ledger": named.as_str(),
            "signature": self.signer.sign_hash(&self.knock.message()).to_string(),
        });
        let path = format!("/ledgers/{ledger}/v1/session");
        main.post(&path, "application/json", document.to_string().into_bytes()).await
    }
}

/// Enters the further ledger; gives the whole answer.
async fn entered(main: &Network, signer: &SigningKey) -> Value {
    let seen = door(main, "north", signer).await.send(main, "north").await;
    assert_eq!(seen.status, 201, "{}", seen.text());
    seen.json()
}

/// A session on the further ledger.
pub async fn entry(main: &Network, signer: &SigningKey) -> String {
    entered(main, signer).await["token"].as_str().expect("a token").to_owned()
}

/// The answer without what differs from one request to the next.
fn told(seen: &Seen, name: &str) -> (u16, Vec<(String, String)>, String) {
    // The length grows with the number of the request.
    let headers = seen.headers.iter().filter(|(name, _)| *name != "content-length");
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    let mut text = seen.text().replace(name, "NAME");
    if let Ok(problem) = serde_json::from_str::<Value>(&text) {
        let id = problem["request_id"].as_str().unwrap_or_default();
        // The numbers of one node's requests go on, whoever answers.
        text = text.replace(id, id.split('-').next().unwrap_or_default());
    }
    (seen.status.as_u16(), headers, text)
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_hosted_ledger_from_an_empty_place() {
    let (main, north) = hosted();
    let main_token = token(&main, &main.customer).await;
    let submission = encode(&north.submission(
        &[&north.customer.key, &key("another")],
        AddKey { key: key("another").public() },
        Vec::new(),
    ));
    let places = [
        ("GET", "/v1/status"),
        ("GET", "/v1/genesis"),
        ("GET", "/v1/blocks?limit=1"),
        ("GET", "/v1/session/nonce"),
        ("GET", "/v1/live"),
        ("GET", "/v1/nothing"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("PUT", "/v1/status"),
        ("DELETE", "/v1/session"),
        ("POST", "/v1/transactions"),
        ("POST", "/v1/unit"),
        ("POST", "/v1/session"),
    ];
    for (method, path) in places {
        for bearer in [None, Some(main_token.as_str()), Some("no token at all")] {
            for body in [&b""[..], &submission, b"{}"] {
                let mut answers = Vec::new();
                for name in ["north", "sauth"] {
                    let mut request = Request::builder()
                        .method(method)
                        .uri(format!("/ledgers/{name}{path}"))
                        .header("content-type", "application/json");
                    if let Some(bearer) = bearer {
                        request = request.header("authorization", format!("Bearer {bearer}"));
                    }
                    let request = request.body(Body::from(body.to_vec())).expect("a request");
                    answers.push(told(&main.send(request).await, name));
                }
                assert_eq!(answers[0], answers[1], "{method} {path} {bearer:?}");
                let refused = if path == "/v1/session" && method == "POST" { 400 } else { 404 };
                assert_eq!(answers[0].0, refused, "{method} {path}");
            }
        }
    }
    // Keys that are known to the main ledger alone, or to nobody.
    let second = key("of the main ledger alone");
    main.accept(&[&main.customer.key, &second], AddKey { key: second.public() }, Vec::new());
    for signer in ["of the main ledger alone", "stranger"] {
        let mut answers = Vec::new();
        for name in ["north", "sauth"] {
            let seen = door(&main, name, &key(signer)).await.send(&main, name).await;
            seen.problem(404, "NoSuchAddress");
            answers.push(told(&seen, name));
        }
        assert_eq!(answers[0], answers[1], "{signer}");
    }
    let requests = main.get("/metrics").await.text();
    assert!(!requests.contains("north"), "{requests}");
}

#[tokio::test]
async fn what_can_be_said_of_a_knock_is_said_before_anybody_looks_what_is_hosted() {
    let (main, north) = hosted();
    for name in ["north", "sauth"] {
        let mut other_key = door(&main, name, &north.customer.key).await;
        other_key.signer = key("thief");
        other_key.send(&main, name).await.problem(401, "SessionRefused");
        let mut other_host = door(&main, name, &north.customer.key).await;
        other_host.knock.host = "other.example".parse().expect("short");
        other_host.send(&main, name).await.problem(401, "SessionRefused");
        let other_ledger = door(&main, "east", &north.customer.key).await;
        other_ledger.send(&main, name).await.problem(401, "SessionRefused");
    }
    let good = door(&main, "north", &north.customer.key).await;
    assert_eq!(good.send(&main, "north").await.status, 201);
    good.send(&main, "north").await.problem(401, "SessionRefused");
}

#[tokio::test]
async fn who_is_known_there_reads_and_submits_with_its_rights() {
    let (main, north) = hosted();
    let ledger_id = north.node.ledger.rules().ledger_id().to_string();
    let answer = entered(&main, &north.customer.key).await;
    assert_eq!(answer["ledger_id"], ledger_id);
    assert_eq!(answer["party"], north.customer.id.to_string());
    let customer = answer["token"].as_str().expect("a token").to_owned();
    let status = main.get_as("/ledgers/north/v1/status", &customer).await;
    assert_eq!((status.status.as_u16(), &status.json()["ledger_id"]), (200, &json!(ledger_id)));
    assert_eq!(status.height(), north.node.ledger.view().height());
    // By its id as well, and with a query.
    let by_id = format!("/ledgers/{ledger_id}/v1/blocks?limit=1");
    let blocks = main.get_as(&by_id, &customer).await.json();
    assert_eq!(blocks["items"].as_array().map(Vec::len), Some(1));
    // Its own readings, and not those of a ledger that is open to everybody.
    let readings = format!("/ledgers/north/v1/usage-points/{}", north.usage_point);
    assert!(main.get_as(&readings, &customer).await.json()["label"].is_string());
    let neighbour = entry(&main, &north.neighbour.key).await;
    assert!(main.get_as(&readings, &neighbour).await.json()["label"].is_null());
    for path in ["/ledgers/north/metrics", "/ledgers/north/healthz"] {
        assert_eq!(main.get_as(path, &customer).await.status, 200, "{path}");
    }
    main.get_as("/ledgers/north/v1/nothing", &customer).await.problem(404, "NoSuchAddress");
    // A session of one ledger is none on another.
    main.get_as("/v1/status", &customer).await.problem(401, "SessionUnknown");

    let added = AddKey { key: key("another").public() };
    let signers = [&north.customer.key, &key("another")];
    let submission = north.submission(&signers, added, Vec::new());
    let send = |path: &str, token: &str| {
        let request = Request::post(path).header("content-type", "application/octet-stream");
        let request = request.header("authorization", format!("Bearer {token}"));
        main.send(request.body(Body::from(encode(&submission))).expect("a request"))
    };
    // The ledger is bound into the signature.
    let elsewhere = send("/v1/transactions", &token(&main, &main.customer).await).await;
    elsewhere.problem(400, "LedgerId");
    let taken = send("/ledgers/north/v1/transactions", &customer).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
}

#[tokio::test]
async fn keys_without_a_party_enter_and_see_what_is_public() {
    let (main, north) = hosted();
    for name in ["owner 1", "clock keeper", "validator", "meter"] {
        let answer = entered(&main, &key(name)).await;
        assert_eq!(answer["party"], Value::Null, "{name}");
        let token = answer["token"].as_str().expect("a token");
        let path = format!("/ledgers/north/v1/usage-points/{}", north.usage_point);
        assert!(main.get_as(&path, token).await.json()["label"].is_null(), "{name}");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_stands_outside_again() {
    let (main, north) = hosted();
    let second = key("second");
    north.accept(&[&north.customer.key, &second], AddKey { key: second.public() }, Vec::new());
    let token = entry(&main, &second).await;
    assert_eq!(main.get_as("/ledgers/north/v1/status", &token).await.status, 200);
    let revoke = RevokeKey { key: second.public().address() };
    north.accept(&[&north.customer.key], revoke, Vec::new());
    main.get_as("/ledgers/north/v1/status", &token).await.problem(404, "NoSuchAddress");
    let again = door(&main, "north", &second).await.send(&main, "north").await;
    again.problem(404, "NoSuchAddress");
}

#[tokio::test]
async fn a_ledger_that_ended_is_told_to_its_own_and_the_others_go_on() {
    let (main, north) = hosted();
    let token = entry(&main, &north.customer.key).await;
    assert_eq!(main.get("/healthz").await.status, 200);
    main.hosting.has_ended(Some("north"));
    main.get_as("/ledgers/north/v1/status", &token).await.problem(503, "Stopping");
    main.get("/ledgers/north/v1/status").await.problem(404, "NoSuchAddress");
    let health = main.get("/healthz").await;
    assert!(!health.problem(503, "Stopping").to_string().contains("north"));
    assert_eq!(main.get("/v1/status").await.status, 200);
    main.hosting.remove("north");
    main.get_as("/ledgers/north/v1/status", &token).await.problem(404, "NoSuchAddress");

    let (main, north) = hosted();
    main.hosting.has_ended(None);
    main.get("/v1/status").await.problem(503, "Stopping");
    let token = entry(&main, &north.customer.key).await;
    assert_eq!(main.get_as("/ledgers/north/v1/status", &token).await.status, 200);
}
