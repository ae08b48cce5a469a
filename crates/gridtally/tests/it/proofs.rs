//! Proof files from outside: what is right, what is wrong, what is none; a thousand mutations.

use std::path::PathBuf;

use crate::demo::small_demo_of;
use crate::process::{expect, json, run};
use client::verify::{TrustAnchor, verify};

struct Demo {
    dir: tempfile::TempDir,
    proof: PathBuf,
}

/// A demo and the proof of its first home's bill.
fn demo() -> Demo {
    demo_of("1")
}

/// The same of so many validators.
fn demo_of(nodes: &str) -> Demo {
    let dir = tempfile::tempdir().unwrap();
    let summary = small_demo_of(nodes, dir.path());
    let bill = summary["bills"][0]["bill"].as_str().unwrap();
    let mut proofs = std::fs::read_dir(dir.path().join("proofs")).unwrap();
    let proof =
        proofs.find(|p| p.as_ref().unwrap().path().to_str().unwrap().contains(bill)).unwrap();
    let proof = proof.unwrap().path();
    Demo { dir, proof }
}

/// A small generator of test positions.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

#[test]
fn exit_codes_say_right_wrong_no_proof_and_not_anchored() {
    let demo = demo();
    let proof = demo.proof.to_str().unwrap();
    let genesis = demo.dir.path().join("genesis.json");
    let genesis = genesis.to_str().unwrap();
    expect(0, &["verify", "--genesis", genesis, proof]);
    let text = expect(0, &["verify", proof]);
    assert!(text.lines().next().unwrap().contains("consistent in itself; ledger id NOT compared"));
    assert_eq!(json(&["verify", "--json", proof])["files"][0]["anchored"], false);
    expect(3, &["verify", "--require-anchor", proof]);

    let id = json(&["verify", "--json", proof])["files"][0]["ledger_id"].clone();
    let id = id.as_str().unwrap();
    assert!(id.starts_with("demo-"));
    expect(0, &["verify", "--require-anchor", "--ledger", id, proof]);
    let other = format!("grid-{}", "5".repeat(64));
    let wrong = expect(1, &["verify", "--ledger", &other, proof]);
    assert!(wrong.contains("WRONG") && wrong.contains(&other), "{wrong}");

    expect(2, &["verify", "--genesis", genesis, genesis]);
    expect(2, &["verify", "--genesis", genesis, "/nowhere/proof.json"]);
    // One wrong file among right ones is wrong.
    let damaged = demo.dir.path().join("damaged.json");
    let text = std::fs::read_to_string(&demo.proof).unwrap();
    std::fs::write(&damaged, text.replacen("\"total_micro\": \"", "\"total_micro\": \"1", 1))
        .unwrap();
    expect(1, &["verify", "--genesis", genesis, proof, damaged.to_str().unwrap()]);
}

#[test]
fn a_thousand_single_byte_mutations_are_refused() {
    for nodes in ["1", "4"] {
        mutate_bytes(&demo_of(nodes));
    }
}

fn mutate_bytes(demo: &Demo) {
    let bytes = std::fs::read(&demo.proof).unwrap();
    let genesis = client::genesis_file::read(&demo.dir.path().join("genesis.json")).unwrap();
    let trusted = TrustAnchor::Genesis(Box::new(genesis));
    verify(&trusted, &bytes).unwrap();
    let mut random = Random(7);
    for round in 0..1_000 {
        let mut mutated = bytes.clone();
        let at = random.below(mutated.len());
        match round % 3 {
            0 => mutated[at] ^= 1 << random.below(8),
            1 => {
                mutated.remove(at);
            }
            _ => mutated.insert(at, bytes[random.below(bytes.len())]),
        }
        if mutated == bytes {
            continue;
        }
        assert!(verify(&trusted, &mutated).is_err(), "round {round}, byte {at}");
    }
}

/// Where the values of a JSON text stand that are no object and no array: strings with their quotes
/// (keys left out), numbers, truths.
fn values(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let from = at;
        match text[at] {
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                let next = text[at..].iter().find(|byte| !byte.is_ascii_whitespace());
                if next != Some(&b':') {
                    found.push(from..at);
                }
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                while text[at] == b'-' || text[at].is_ascii_alphanumeric() {
                    at += 1;
                }
                found.push(from..at);
            }
            _ => at += 1,
        }
    }
    found
}

/// Another value of the same look: another letter or digit, another number, the other truth.
fn another(value: &str, random: &mut Random) -> String {
    match value {
        "\"\"" => "\"1\"".to_owned(),
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "null" => "\"1\"".to_owned(),
        _ => {
            let mut bytes = value.as_bytes().to_vec();
            let quotes = usize::from(bytes[0] == b'"');
            let at = quotes + random.below(bytes.len() - 2 * quotes);
            bytes[at] = match bytes[at] {
                b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => bytes[at] + 1,
                b'9' => b'8',
                b'z' => b'a',
                b'Z' => b'A',
                _ => b'0',
            };
            String::from_utf8(bytes).unwrap()
        }
    }
}

#[test]
fn a_thousand_single_value_mutations_are_refused() {
    for nodes in ["1", "4"] {
        mutate_values(&demo_of(nodes));
    }
}

fn mutate_values(demo: &Demo) {
    let text = std::fs::read_to_string(&demo.proof).unwrap();
    let genesis = client::genesis_file::read(&demo.dir.path().join("genesis.json")).unwrap();
    let trusted = TrustAnchor::Genesis(Box::new(genesis));
    let values = values(text.as_bytes());
    assert!(values.len() > 50, "a proof file has many values, found {}", values.len());
    let mut random = Random(11);
    for round in 0..values.len().max(1_000) {
        // Every value once, then at random.
        let place = values.get(round).unwrap_or(&values[round * 7 % values.len()]).clone();
        let value = &text[place.clone()];
        let written = another(value, &mut random);
        assert_ne!(value, written);
        let mutated = format!("{}{written}{}", &text[..place.start], &text[place.end..]);
        let answer = verify(&trusted, mutated.as_bytes());
        assert!(answer.is_err(), "{value} became {written} at byte {}", place.start);
    }
}

#[test]
fn garbage_is_no_proof_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("garbage.json");
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"[1,2,3]".to_vec(),
        vec![0xff; 4_096],
        b"{\"format\":\"gridtally-proof/2\"}".to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
    ];
    for bytes in cases {
        std::fs::write(&path, &bytes).unwrap();
        let output = run(&["verify", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
