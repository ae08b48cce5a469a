//! What happened, in pages, as a stream, and over a WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::Request;
use contracts::registry::SuspendParty;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::hosting::{entry, hosted};
use crate::kit::{HOST, Network, OPEN_DEMO, PRIVATE};
use crate::sessions::token;

const SOON: Duration = Duration::from_secs(20);

async fn walk(network: &Network, query: &str) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let page = network.get(&format!("/v1/events?limit=7{query}{next}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        if page["more"] == false {
            return items;
        }
        next = format!("&after={}", page["next"].as_str().expect("a cursor"));
    }
}

#[tokio::test]
async fn pages_hold_every_event_of_the_chain_once_and_in_order() {
    let network = Network::new(OPEN_DEMO);
    let found = walk(&network, "").await;
    let view = network.node.ledger.view();
    let mut expected = Vec::new();
    for height in 1..=view.height() {
        expected.push("Block".to_owned());
        for receipt in view.receipts(height).expect("the store answers") {
            for event in receipt.events.iter() {
                let event: contracts::Event = primitives::codec::decode(event).expect("an event");
                expected.push(event.name().to_owned());
            }
        }
    }
    let names: Vec<_> = found.iter().map(|it| it["name"].as_str().expect("a name")).collect();
    assert_eq!(names, expected);
    for (index, item) in found.iter().enumerate() {
        let cursor = item["cursor"].as_str().expect("a cursor");
        let page = network.get(&format!("/v1/events?limit=1&after={cursor}")).await.json();
        assert_eq!(page["items"].get(0), found.get(index + 1), "behind {cursor}");
    }
    let bills = walk(&network, "&topics=bill").await;
    assert!(bills.iter().all(|it| it["topic"] == "bill") && bills.len() == 1, "{bills:?}");
    let since = network.get(&format!("/v1/events?since={}", view.height())).await.json();
    assert_eq!((&since["items"], &since["more"]), (&json!([]), &false.into()));
    for wrong in ["topics=peers", "after=1", "since=-1", "limit=0"] {
        network.get(&format!("/v1/events?{wrong}")).await.problem(400, "WrongQuery");
    }
}

#[tokio::test]
async fn values_are_for_those_who_may_see_them() {
    let network = Network::new(PRIVATE);
    let token = token(&network, &network.customer).await;
    let path = "/v1/events?topics=bill,account&limit=1000";
    let hidden = network.get(path).await.json();
    let hidden = hidden["items"].as_array().expect("items");
    for item in hidden {
        assert!(item["values"].is_null(), "{item}");
        // A backing limit is public.
        assert!(item["withheld"] == true || item["name"] == "BackingLimitSet", "{item}");
    }
    let shown = network.get_as(path, &token).await.json();
    let shown = shown["items"].as_array().expect("items");
    assert_eq!(shown.len(), hidden.len());
    let bill = shown.iter().find(|it| it["name"] == "BillIssued").expect("a bill");
    assert_eq!(bill["values"]["total_micro"], "120000000");
}

async fn serve(network: &Network) -> SocketAddr {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Small, so that a client that does not read is noticed early.
    socket.set_send_buffer_size(4_096).expect("a size");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(16).expect("it listens");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(api::serve(listener, network.router.clone(), std::future::pending()));
    address
}

async fn connect(address: SocketAddr) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a size");
    let stream = socket.connect(address).await.expect("it listens");
    client_async(format!("ws://{HOST}/v1/live"), stream).await.expect("an upgrade").0
}

async fn hello(socket: &mut WebSocketStream<TcpStream>, hello: Value) {
    socket.send(Message::text(hello.to_string())).await.expect("it takes the frame");
}

async fn page(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let frame = timeout(SOON, socket.next()).await.expect("in time").expect("a frame");
        if let Message::Text(text) = frame.expect("whole") {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}

async fn close_code(socket: &mut WebSocketStream<TcpStream>) -> u16 {
    loop {
        match timeout(SOON, socket.next()).await.expect("in time") {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("closed without a code: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_hears_what_happens_and_resumes_where_it_was() {
    let network = Network::new(PRIVATE);
    let address = serve(&network).await;
    let token = token(&network, &network.customer).await;
    let mut socket = connect(address).await;
    hello(&mut socket, json!({ "token": token, "topics": ["block", "registry"] })).await;
    let first = page(&mut socket).await;
    assert_eq!(first["items"], json!([]));
    let body = SuspendParty { party: network.neighbour.id };
    network.accept(&[&network.regulator.key], body, Vec::new());
    let mut names = Vec::new();
    while names.len() < 2 {
        for item in page(&mut socket).await["items"].as_array().expect("items") {
            names.push(item["name"].as_str().expect("a name").to_owned());
        }
    }
    assert_eq!(names, ["Block", "PartyStatusChanged"]);
    drop(socket);
    // Everything from the first block on, without a session: no values.
    let mut socket = connect(address).await;
    hello(&mut socket, json!({ "since": 0, "topics": ["bill"] })).await;
    let page = page(&mut socket).await;
    assert_eq!(page["items"][0]["name"], "BillIssued");
    assert_eq!(page["items"][0]["withheld"], true);
}

#[tokio::test]
async fn wrong_first_frames_and_sessions_close_with_a_code() {
    let network = Network::new(PRIVATE);
    let address = serve(&network).await;
    let unknown = "A".repeat(43);
    for (frame, code) in [
        (Message::text("{"), 4400),
        (Message::text("{\"topics\":[\"peers\"]}"), 4400),
        (Message::text("{\"more\":1}"), 4400),
        (Message::binary(vec![1, 2, 3]), 4400),
        (Message::text(format!("{{\"token\":\"{unknown}\"}}")), 4401),
    ] {
        let mut socket = connect(address).await;
        socket.send(frame).await.expect("it takes the frame");
        assert_eq!(close_code(&mut socket).await, code);
    }
    let mut socket = connect(address).await;
    hello(&mut socket, json!({})).await;
    page(&mut socket).await;
    hello(&mut socket, json!({})).await;
    assert_eq!(close_code(&mut socket).await, 4400);
    network.get("/v1/live").await.problem(400, "WrongHeader");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let network = Network::new(PRIVATE);
    for _ in 0..3_000 {
        network.node.append(Vec::new());
    }
    let address = serve(&network).await;
    let mut socket = connect(address).await;
    hello(&mut socket, json!({ "since": 0, "topics": ["block"] })).await;
    tokio::time::sleep(Duration::from_millis(10_300)).await;
    let mut last = Value::Null;
    let code = loop {
        match timeout(SOON, socket.next()).await.expect("in time") {
            Some(Ok(Message::Text(text))) => last = serde_json::from_str(&text).expect("JSON"),
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            Some(Ok(_)) => {}
            // The code is lost when the connection broke before it could be taken.
            _ => break 1013,
        }
    };
    assert_eq!((code, &last["more"]), (1013, &true.into()), "it was not sent everything");
}

#[tokio::test]
async fn a_stream_says_the_same_line_by_line() {
    let network = Network::new(PRIVATE);
    let request = Request::get("/v1/events?since=0&topics=bill")
        .header("accept", "text/event-stream")
        .body(HttpBody::empty());
    let response = tower::ServiceExt::oneshot(network.router.clone(), request.expect("a request"))
        .await
        .expect("a router never fails");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let piece =
        timeout(SOON, body.next()).await.expect("in time").expect("a piece").expect("whole");
    let text = String::from_utf8(piece.to_vec()).expect("UTF-8");
    assert!(text.contains("event: bill\ndata: {") && text.ends_with("\n\n"), "{text}");
    assert!(text.contains("\"withheld\":true"), "{text}");
}

#[tokio::test]
async fn only_so_many_stay_connected() {
    let network = Network::new(PRIVATE);
    let stream = || {
        let request = axum::http::Request::get("/v1/events").header("accept", "text/event-stream");
        tower::ServiceExt::oneshot(
            network.router.clone(),
            request.body(axum::body::Body::empty()).expect("a request"),
        )
    };
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let response = stream().await.expect("a router never fails");
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    let refused = stream().await.expect("a router never fails");
    assert_eq!(refused.status(), 503, "one more finds no place");
    open.pop();
    assert_eq!(stream().await.expect("a router never fails").status(), 200, "a place is free");
}

#[tokio::test]
async fn a_further_ledger_is_heard_in_a_session_only() {
    let (main, north) = hosted();
    let address = serve(&main).await;
    let token = entry(&main, &north.customer.key).await;
    let open = async |token: Option<&str>| {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let mut request =
            format!("ws://{HOST}/ledgers/north/v1/live").into_client_request().expect("an address");
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        client_async(request, stream).await
    };
    assert!(open(None).await.is_err(), "there is nothing to upgrade");
    let (mut socket, _) = open(Some(&token)).await.expect("an upgrade");
    hello(&mut socket, json!({ "token": token, "since": 0, "topics": ["bill"] })).await;
    assert_eq!(page(&mut socket).await["items"][0]["values"]["total_micro"], "120000000");
    let (mut socket, _) = open(Some(&token)).await.expect("an upgrade");
    hello(&mut socket, json!({ "since": 0, "topics": ["bill"] })).await;
    assert_eq!(close_code(&mut socket).await, 4401);
}
