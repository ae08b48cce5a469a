//! Networks that are cut apart and healed.

use std::time::{Duration, Instant};

use super::proxy::Links;
use super::traffic::Traffic;
use super::{NAMES, TestNetwork, height, is_long};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn three_go_on_without_the_one_that_is_cut_off() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    let links = Links::between(&network);
    let traffic = Traffic::start(&network);
    traffic.flows_for(Duration::from_secs(2));
    links.cut(&["dist-b"]);
    let alone = network.url("dist-b");
    // What was final before may still reach it out of its own archive.
    std::thread::sleep(Duration::from_secs(1));
    let stands = height(&alone);
    traffic.flows_for(Duration::from_secs(10));
    assert_eq!(height(&alone), stands, "one of four makes no block");
    let there = height(&network.url("grid"));
    assert!(there > stands + 5, "three of four go on: {stands}, {there}");
    links.heal();
    let healed = Instant::now();
    let urls = network.urls(&NAMES);
    network.agree(&urls, there, PATIENCE);
    println!("it agreed {:?} after healing", healed.elapsed());
    traffic.stop().compare(&urls);
}

#[test]
fn two_halves_stand_still_until_they_are_healed() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    let links = Links::between(&network);
    let traffic = Traffic::start(&network);
    traffic.flows_for(Duration::from_secs(2));
    links.cut(&["grid", "dist-a"]);
    std::thread::sleep(Duration::from_secs(1));
    let urls = network.urls(&NAMES);
    let stand: Vec<u64> = urls.iter().map(|url| height(url)).collect();
    let acknowledged = traffic.acknowledged();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(traffic.acknowledged(), acknowledged, "no half may say that this was accepted");
    let now: Vec<u64> = urls.iter().map(|url| height(url)).collect();
    assert_eq!(now, stand, "no half makes a block");
    links.heal();
    let healed = Instant::now();
    let highest = stand.into_iter().max().unwrap();
    network.agree(&urls, highest + 1, PATIENCE);
    println!("they went on {:?} after healing", healed.elapsed());
    traffic.goes_on();
    traffic.flows_for(Duration::from_secs(1));
    traffic.stop().compare(&urls);
}
