//! The server itself: it listens, answers, and stops when it is told to.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use client::connection::{Connection, SubmitStatus};
use contracts::registry::SuspendParty;
use primitives::units::Sequence;

use crate::kit::{Network, OPEN_DEMO, PRIVATE};

#[tokio::test]
async fn it_answers_over_a_socket_and_stops_gracefully() {
    let network = Network::new(PRIVATE);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(api::serve(listener, network.router.clone(), async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it takes the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\"status\":\"ok\""), "{answer}");
    stop.send(()).expect("it still runs");
    let ended = tokio::time::timeout(Duration::from_secs(5), serving).await.expect("it stops");
    ended.expect("no panic").expect("no failure");
}

/// What the client crate reads from a node is what the API writes.
#[tokio::test]
async fn the_client_understands_the_answers() {
    let network = Network::new(OPEN_DEMO);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(api::serve(listener, network.router.clone(), std::future::pending()));
    let regulator = network.regulator.key.clone();
    let party = network.neighbour.id;
    let bill = network.bill;
    let sent = network.submission(&[&regulator], SuspendParty { party }, Vec::new());
    let ledger_id = network.node.ledger.rules().ledger_id();
    let calling = tokio::task::spawn_blocking(move || {
        let connection = Connection::new(&address).expect("an address");
        assert_eq!(connection.status().expect("a status").ledger_id, ledger_id);
        let address = regulator.public().address();
        assert_eq!(connection.highest_sequence(&address), Ok(Sequence::new(10)));
        let outcomes = connection.submit(std::slice::from_ref(&sent)).expect("an answer");
        assert_eq!((outcomes[0].status, outcomes[0].code), (SubmitStatus::Accepted, 0));
        let again = connection.submit(&[sent]).expect("an answer");
        assert_eq!((again[0].status, again[0].code), (SubmitStatus::Rejected, 100));
        assert_eq!((again[0].name.as_str(), &again[0].numbers[..]), ("SequenceUsed", &[11][..]));
        assert_eq!(connection.highest_seen(), again[0].height.expect("ordered"));
        assert!(connection.bill_proof(&bill).is_ok());
        assert!(connection.get("/v1/blocks/x").is_err());
    });
    calling.await.expect("no panic");
}
