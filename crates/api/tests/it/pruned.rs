//! A node that pruned old blocks: what it still says, and that it says what it does not have.

use ledger::prune::{Keep, Pruning, prune};
use serde_json::Value;

use crate::accounts::eventful;
use crate::kit::{Network, OPEN_DEMO, PRIVATE};
use crate::reading::addresses_with_patterns;
use crate::sessions::token;

/// Prunes whatever may be, and has the read model made anew from what is left.
fn pruned(network: &Network) {
    network.node.append(Vec::new());
    let pruning = Pruning { keep: Keep::Blocks(0), states: None, again: false };
    let done = prune(&network.node.ledger, pruning, &mut |_| Ok(())).expect("the store answers");
    assert!(done.transactions >= 20, "{done:?}");
}

/// Everything that is answered, but for what changes with the height alone.
async fn everything(network: &Network) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (address, _) in addresses_with_patterns(network) {
        let mut seen = network.get(&address).await.json();
        // Of what is not there: every answer has its own.
        seen.as_object_mut().expect("an object").remove("request_id");
        found.push((address, seen));
    }
    for height in 1..network.node.ledger.view().height() {
        let address = format!("/v1/blocks/{height}");
        found.push((address.clone(), network.get(&address).await.json()));
    }
    found
}

#[tokio::test]
async fn a_pruned_node_answers_as_before() {
    let network = eventful(OPEN_DEMO);
    network.node.append(Vec::new());
    network.follow();
    let before = everything(&network).await;
    let height = network.node.ledger.view().height();
    let pruning = Pruning { keep: Keep::Blocks(0), states: None, again: false };
    prune(&network.node.ledger, pruning, &mut |_| Ok(())).expect("the store answers");
    assert_eq!(network.node.ledger.view().height(), height);
    // The read model is a new one, made of what is left.
    let model = api::ReadModel::new(network.folder.path().join("another.sqlite"));
    model.catch_up(&network.node.ledger.view()).expect("it follows");
    let tables = |name: &str| {
        let path = network.folder.path().join(name);
        let rows = |table: &str| {
            let connection = rusqlite::Connection::open(&path).expect("a read model");
            let query = format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5");
            let mut statement = connection.prepare(&query).or_else(|_| {
                connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3"))
            });
            let statement = statement.as_mut().expect("a table");
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|it| row.get::<_, rusqlite::types::Value>(it)).collect()
            };
            let rows = statement.query_map([], row).expect("rows");
            rows.collect::<Result<Vec<Vec<_>>, _>>().expect("rows")
        };
        ["transactions", "mentions", "payments", "entries", "history"].map(rows)
    };
    assert_eq!(tables("another.sqlite"), tables("read-model.sqlite"));

    let after = everything(&network).await;
    for ((address, before), (_, after)) in before.into_iter().zip(after) {
        if address.starts_with("/v1/transactions/") && !address.ends_with("/proof") {
            assert_eq!(before["pruned"], Value::Null);
            continue;
        }
        if address != "/v1/session/nonce" {
            assert_eq!(before, after, "{address}");
        }
    }
    // The seal is named by the state: it is whole.
    let seal = network.get(&format!("/v1/transactions/{}", network.seal)).await.json();
    assert!(seal["body"].is_object() && seal["pruned"].is_null());
    // The purchase is not.
    let address = format!("/v1/transactions/{}", network.bought);
    let bought = network.get(&address).await.json();
    assert_eq!(bought["pruned"], true);
    assert_eq!(bought["kind_name"], "BuyTokens");
    assert_eq!(bought["receipt"]["code"], 0);
    assert!(bought["receipt"]["events"].as_array().is_some_and(|events| events.len() > 1));
    for gone in ["body", "raw", "payload", "withheld"] {
        assert_eq!(bought[gone], Value::Null, "{gone}");
    }
    let proof = network.get(&format!("{address}/proof")).await;
    assert_eq!((proof.status.as_u16(), &proof.json()["whole"]), (200, &Value::Bool(false)));
    let page = network.get(&format!("/transactions/{}", network.bought)).await.text();
    assert!(page.contains("pruned on this node"), "{page}");
}

#[tokio::test]
async fn of_a_pruned_transaction_the_signer_sees_what_is_left_and_others_less() {
    let network = Network::new(PRIVATE);
    pruned(&network);
    let address = format!("/v1/transactions/{}", network.bought);
    let (buyer, neighbour) = (network.customer.clone(), network.neighbour.clone());
    let (buyer, neighbour) = (token(&network, &buyer).await, token(&network, &neighbour).await);
    let own = network.get_as(&address, &buyer).await.json();
    assert_eq!((&own["pruned"], &own["withheld"]), (&Value::Bool(true), &Value::Null));
    let others = network.get_as(&address, &neighbour).await.json();
    assert_eq!((&others["pruned"], &others["withheld"]), (&Value::Bool(true), &Value::Bool(true)));
    let events = |seen: &Value| seen["receipt"]["events"].to_string();
    assert!(events(&own).contains("amount") && !events(&others).contains("\"amount\""));
}
