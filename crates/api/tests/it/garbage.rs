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

/// Resident bytes of this process; `None` where the system does not say.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4_096)
}

/// A thousand by default, ten thousand with `GRIDTALLY_LONG`.
#[tokio::test]
async fn hostile_requests_of_every_method_at_every_address_keep_memory_flat() {
    let network = Network::new(PRIVATE);
    let count = if std::env::var_os("GRIDTALLY_LONG").is_some() { 10_000_usize } else { 1_000 };
    let methods = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"];
    let names = ["after", "before", "limit", "day", "period", "at_least", "party", "amount_min"];
    let addresses = api::routes::addresses();
    let mut random = Bytes { seed: 2_000_000 };
    let mut at_half = None;
    for number in 0..count {
        if number == count / 2 {
            at_half = resident_bytes();
        }
        let choice = random.next();
        let hex = |from: usize, length: usize| -> String {
            choice[from..].iter().take(length).map(|byte| format!("{byte:02x}")).collect()
        };
        let (_, address) = addresses[usize::from(choice[0]) % addresses.len()];
        let mut path = address.to_owned();
        while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            let length = [0, 1, 16, 31][usize::from(choice[1] % 4)];
            path.replace_range(start..=end, &format!("x{}", hex(1, length)));
        }
        // A height that is waited for would make the test slow, not the node.
        let name = names[usize::from(choice[2]) % names.len()];
        let value = if name == "at_least" { "0".to_owned() } else { hex(3, 12) };
        let path = format!("{path}?{name}={value}&{}", hex(5, usize::from(choice[4] % 8)));
        let method = methods[usize::from(choice[5]) % methods.len()];
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("content-type", "application/json")
            .header("accept", ["text/event-stream", "*/*"][usize::from(choice[6] % 2)])
            .header("authorization", format!("Bearer {}", hex(7, 20)));
        let body = random.some(usize::from(choice[7]) * 16);
        let seen = network.send(request.body(Body::from(body)).expect("a request")).await;
        assert!(seen.status.as_u16() < 500, "{method} {path}: {} {}", seen.status, seen.text());
    }
    if let (Some(half), Some(end)) = (at_half, resident_bytes()) {
        // Other tests run beside this one.
        assert!(end < half + (128 << 20), "{half} bytes grew to {end}");
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
        "/v1/events?after=",
        "/v1/search/bills?party=",
        "/v1/search/transactions?kind=",
        "/v1/unit?usage_point=",
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
