//! The connection against a listener that says what a node would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use client::connection::{Connection, ConnectionError, SubmitStatus};
use client::transaction_builder::Signer;
use primitives::calendar::SettlementPeriod;
use primitives::codec::{Bounded, decode};
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, Reading};
use primitives::units::{BlockHeight, Sequence, WattHours};

use crate::kit::{genesis, key};

/// A request: its first line and its body.
type Request = (String, Vec<u8>);

/// Answers one request after the other, and gives all of them back.
fn node(answers: Vec<String>) -> (Connection, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let serve = move || answers.iter().map(|answer| answer_one(&listener, answer)).collect();
    (Connection::new(&address).unwrap(), thread::spawn(serve))
}

fn answer_one(listener: &TcpListener, answer: &str) -> Request {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (first, length) = read_head(&mut reader);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    (first, body)
}

fn read_head(reader: &mut BufReader<TcpStream>) -> (String, usize) {
    let mut lines = reader.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let first = lines.next().unwrap();
    let mut length = 0;
    for line in lines {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    (first, length)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn submission() -> Submission {
    let mut signer = Signer::new(key("meter"), genesis().ledger_id(), Sequence::new(1));
    let reading = Reading {
        import_wh: WattHours::new(250),
        export_wh: WattHours::ZERO,
        quality: Quality::Actual,
    };
    let period = SettlementPeriod::new(1_627_488);
    signer.submit_reading(UsagePointId::new([1; 16]), period, reading, [9; 32]).unwrap()
}

#[test]
fn outcomes_are_read_and_heights_remembered() {
    let submission = submission();
    let id = submission.transaction.id();
    let results = format!(
        r#"{{"results":[{{"transaction_id":"{id}","status":"rejected","code":203,
            "name":"ReadingExists","detail":"another","height":41,"index":0,"numbers":["7"]}}]}}"#
    );
    let status = format!(
        r#"{{"ledger_id":"{}","height":"42","time":"2016-06-01T00:00:00Z","more":1}}"#,
        genesis().ledger_id()
    );
    let (connection, served) = node(vec![
        answer("200 OK", "Gridtally-Height: 41\r\n", &results),
        answer("200 OK", "Gridtally-Height: 42\r\n", &status),
        answer("200 OK", "", r#"{"highest_sequence":"9"}"#),
    ]);
    let outcomes = connection.submit(std::slice::from_ref(&submission)).unwrap();
    assert_eq!((outcomes[0].status, outcomes[0].code), (SubmitStatus::Rejected, 203));
    assert_eq!((outcomes[0].height, outcomes[0].index), (Some(BlockHeight::new(41)), Some(0)));
    assert_eq!(outcomes[0].numbers, [7]);
    assert_eq!(connection.status().unwrap().height, BlockHeight::new(42));
    let sequence = connection.highest_sequence(&key("meter").public().address()).unwrap();
    assert_eq!(sequence, Sequence::new(9));
    let served = served.join().unwrap();
    assert_eq!(served[0].0, "POST /v1/transactions HTTP/1.1");
    let sent = decode::<Bounded<Submission, 1_000>>(&served[0].1).unwrap();
    assert_eq!(sent[..], [submission]);
    assert_eq!(served[1].0, "GET /v1/status?at_least=41 HTTP/1.1");
    assert!(served[2].0.ends_with("?at_least=42 HTTP/1.1"), "{}", served[2].0);
}

#[test]
fn a_session_is_carried_renewed_and_opened_again() {
    let (ledger_id, party) = (genesis().ledger_id(), "07".repeat(32));
    let nonce = || answer("200 OK", "", &format!(r#"{{"nonce":"{}"}}"#, "A".repeat(43)));
    let session = |token: &str, seconds: u32| {
        let body = format!(r#"{{"token":"{token}","expires_in_seconds":{seconds},"x":1}}"#);
        answer("201 Created", "", &body)
    };
    let status =
        format!(r#"{{"ledger_id":"{ledger_id}","height":"1","time":"2016-06-01T00:00:00Z"}}"#);
    let (connection, served) = node(vec![
        answer("200 OK", "", &format!(r#"{{"highest_sequence":"0","party":"{party}"}}"#)),
        answer("200 OK", "", &status),
        nonce(),
        session("first", 0),
        // The first token has come of age at once.
        nonce(),
        session("second", 900),
        answer("200 OK", "", "{}"),
        // The node was started anew: it knows the second no more.
        answer("401 Unauthorized", "", r#"{"title":"there is no such session"}"#),
        nonce(),
        session("third", 900),
        answer("200 OK", "", "{}"),
    ]);
    assert_eq!(connection.log_in(key("home")).unwrap().to_string(), party);
    connection.get("/v1/bills/x").unwrap();
    connection.get("/v1/bills/x").unwrap();
    let served = served.join().unwrap();
    let asked: Vec<&str> = served.iter().map(|(first, _)| first.as_str()).collect();
    assert_eq!(asked[3], "POST /v1/session HTTP/1.1");
    let sent: Vec<_> = served.iter().map(|(_, body)| body.len() > 200).collect();
    assert_eq!(
        sent,
        [false, false, false, true, false, true, false, false, false, true, false],
        "{asked:?}"
    );
    let login = String::from_utf8(served[3].1.clone()).unwrap();
    assert!(login.contains(&party) && login.contains("\"host\":\"127.0.0.1:"), "{login}");
    assert!(!format!("{connection:?}").contains("third"), "a token is not printed");
}

#[test]
fn a_key_of_no_party_cannot_log_in() {
    let meter = r#"{"highest_sequence":"0","usage_point":"01"}"#;
    let (connection, served) = node(vec![answer("200 OK", "", meter)]);
    let error = connection.log_in(key("meter")).unwrap_err();
    assert_eq!(error, ConnectionError::NoParty(key("meter").public()));
    served.join().unwrap();
}

#[test]
fn refusals_are_told_apart() {
    let problem = r#"{"type":"about:blank","title":"Not found","status":404,"detail":"no such bill",
        "code":402,"request_id":"r1"}"#;
    let (connection, served) = node(vec![
        answer("404 Not Found", "", problem),
        answer("503 Service Unavailable", "Retry-After: 3\r\n", "busy"),
        answer("200 OK", "", "no JSON"),
        answer("200 OK", "", r#"{"results":[]}"#),
    ]);
    match connection.get_json("/v1/bills/x") {
        Err(ConnectionError::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (404, "402"));
            assert_eq!(problem.to_string(), "Not found: no such bill (code 402) [request r1]");
        }
        other => panic!("{other:?}"),
    }
    match connection.get_json("/v1/status") {
        Err(ConnectionError::Overloaded { retry_after, problem }) => {
            assert_eq!(retry_after, Duration::from_secs(3));
            assert_eq!(problem.title, "503 Service Unavailable");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(connection.status(), Err(ConnectionError::Answer(_))));
    assert!(matches!(connection.submit(&[submission()]), Err(ConnectionError::Answer(_))));
    served.join().unwrap();
}

#[test]
fn nobody_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Connection::new(&address).unwrap().status().unwrap_err();
    assert!(matches!(error, ConnectionError::Unreachable { .. }), "{error}");
    for wrong in ["", "127.0.0.1:80", "ftp://host", "https://host", "http://", "http://h?x=1"] {
        assert!(matches!(Connection::new(wrong), Err(ConnectionError::Address(_))), "{wrong}");
    }
    let many = vec![submission(); 1_001];
    let error = Connection::new(&address).unwrap().submit(&many).unwrap_err();
    assert_eq!(error, ConnectionError::TooMany(1_001));
}
