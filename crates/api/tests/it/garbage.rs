//! Bodies and addresses that nobody meant: never a failure of the node, never a panic.

use axum::body::Body;
use axum::http::Request;
use primitives::codec::encode;
use primitives::hash::Hash;

use crate::kit::{Network, PRIVATE};

/// Bytes that follow from a seed.
struct Bytes {
    seed: u64,
}

impl Bytes {
    fn next(&mut self) -> [u8; 32] {
        self.seed += 1;
        *Hash::of(&self.seed.to_le_bytes()).as_bytes()
    }

    fn some(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            bytes.extend(self.next());
        }
        bytes.truncate(length);
        bytes
    }
}

#[tokio::test]
async fn five_hundred_random_bodies_are_refused_as_the_callers_mistake() {
    let network = Network::new(PRIVATE);
    let good = network.submission(
        &[&network.regulator.key],
        contracts::registry::SuspendParty { party: network.neighbour.id },
        Vec::new(),
    );
    let good = encode(&good);
    let mut random = Bytes { seed: 0 };
    let types = [
        "application/vnd.gridtally.submissions",
        "application/octet-stream",
        "application/json",
        "text/plain; charset=utf-8",
        "",
    ];
    for number in 0..500_usize {
        let choice = random.next();
        // Half of them are a good body with one byte changed or its end cut off.
        let body = match number % 4 {
            0 => {
                let mut body = good.clone();
                let place = usize::from(u16::from_le_bytes([choice[0], choice[1]])) % body.len();
                body[place] ^= choice[2] | 1;
                body
            }
            1 => good[..usize::from(choice[0]) % good.len()].to_vec(),
            _ => random.some(usize::from(choice[0]) * 4),
        };
        let path = ["/v1/transactions", "/v1/session"][number / 4 % 2];
        let content_type = types[usize::from(choice[3]) % types.len()];
        let seen = network.post(path, content_type, body).await;
        assert!(seen.status.as_u16() < 500, "case {number}: {} {}", seen.status, seen.text());
    }
}

#[tokio::test]
async fn five_hundred_random_addresses_are_refused_as_the_callers_mistake() {
    let network = Network::new(PRIVATE);
    let mut random = Bytes { seed: 1_000_000 };
    let starts = [
        "/v1/blocks/",
        "/v1/transactions/",
        "/v1/usage-points/",
        "/v1/bills/",
        "/v1/keys/",
        "/v1/accounts/",
        "/v1/blocks?before=",
        "/v1/frequency?day=",
        "/v1/parties?after=",
        "/?day=",
        "/bills/",
    ];
    for number in 0..500_usize {
        let choice = random.next();
        let encoded: String = random
            .some(usize::from(choice[0]) % 40)
            .iter()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let path = format!("{}{encoded}", starts[number % starts.len()]);
        let request = Request::get(&path)
            .header("authorization", random.some(usize::from(choice[1]) % 60))
            .body(Body::empty());
        // Some bytes cannot stand in a header at all.
        let Ok(request) = request else { continue };
        let seen = network.send(request).await;
        assert!(seen.status.as_u16() < 500, "{path}: {} {}", seen.status, seen.text());
    }
}
