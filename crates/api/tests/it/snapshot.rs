//! `/v1/snapshot`: who may have it, that the node goes on meanwhile, and that it is cut off visibly.

use std::sync::{Arc, Mutex, mpsc};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use contracts::governance::RegisterNode;
use futures_util::StreamExt;
use tower::ServiceExt;

use crate::kit::{Network, PRIVATE, key};
use crate::sessions::token;

const ADDRESS: &str = "/v1/snapshot";

#[tokio::test]
async fn it_is_for_the_nodes_organisation_and_for_regulators() {
    let network = Network::new(PRIVATE);
    network.get(ADDRESS).await.problem(403, "NotEntitled");
    let tokens = [
        token(&network, &network.grid.clone()).await,
        token(&network, &network.customer.clone()).await,
    ];
    for token in &tokens {
        network.get_as(ADDRESS, token).await.problem(403, "NotEntitled");
    }
    let regulator = token(&network, &network.regulator.clone()).await;
    let problem = network.get_as(ADDRESS, &regulator).await.problem(503, "SnapshotNotReady");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("request-checkpoint")));
    // The grid operator says that the node is its own.
    let body = RegisterNode {
        key: key("validator").public(),
        peer_address: "127.0.0.1:7420".parse().expect("short"),
    };
    network.accept(&[&network.grid.key, &key("validator")], body, Vec::new());
    network.get_as(ADDRESS, &tokens[0]).await.problem(503, "SnapshotNotReady");
    network.get_as(ADDRESS, &tokens[1]).await.problem(403, "NotEntitled");
}

/// More than waits for a client that takes nothing.
const LONG: usize = 1 << 20;

fn request(token: &str) -> Request<Body> {
    let request = Request::get(ADDRESS).header("authorization", format!("Bearer {token}"));
    request.body(Body::empty()).expect("a request")
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_on_while_it_is_written_one_at_a_time() {
    let network = Network::new(PRIVATE);
    let regulator = token(&network, &network.regulator.clone()).await;
    let (go_on, gone_on) = mpsc::channel();
    let gone_on = Mutex::new(gone_on);
    let writer: api::SnapshotWriter = Arc::new(move |view, out| {
        out.write_all(&view.height().to_be_bytes())?;
        out.flush()?;
        gone_on.lock().expect("unpoisoned").recv().expect("the test says so");
        out.write_all(&[7; LONG])?;
        Ok(())
    });
    assert!(network.snapshot_writer.set(writer).is_ok());
    let answer = network.router.clone().oneshot(request(&regulator)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/vnd.gridtally.snapshot");
    let begun = network.node.ledger.view().height();
    network.node.append(Vec::new());
    let problem = network.get_as(ADDRESS, &regulator).await.problem(503, "Overloaded");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("somebody else")));
    network.node.append(Vec::new());
    assert_eq!(network.node.ledger.view().height(), begun + 2);
    go_on.send(()).expect("it waits");
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("to its end");
    assert_eq!(bytes[..8], begun.to_be_bytes(), "what it holds is of one moment");
    assert_eq!(bytes.len(), 8 + LONG);
    // Its place is free again.
    go_on.send(()).expect("it waits");
    assert_eq!(network.get_as(ADDRESS, &regulator).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_the_way_is_cut_off_and_who_goes_away_frees_the_place() {
    let network = Network::new(PRIVATE);
    let regulator = token(&network, &network.regulator.clone()).await;
    let writer: api::SnapshotWriter = Arc::new(|_, out| {
        out.write_all(&[7; LONG])?;
        Err(std::io::Error::other("the disk cannot be read").into())
    });
    assert!(network.snapshot_writer.set(writer).is_ok());
    let answer = network.router.clone().oneshot(request(&regulator)).await.expect("an answer");
    assert_eq!(answer.status(), 200, "it had begun well");
    let mut pieces = answer.into_body().into_data_stream();
    let mut is_cut_off = false;
    while let Some(piece) = pieces.next().await {
        is_cut_off |= piece.is_err();
    }
    assert!(is_cut_off, "nobody takes this for the whole");
    // Another one takes nothing and goes away.
    let answer = network.router.clone().oneshot(request(&regulator)).await.expect("an answer");
    drop(answer);
    let begin = std::time::Instant::now();
    loop {
        let answer = network.router.clone().oneshot(request(&regulator)).await.expect("an answer");
        if answer.status() == 200 {
            break;
        }
        assert_eq!(answer.status(), 503);
        assert!(begin.elapsed().as_secs() < 30, "the place is free when the client has gone");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
