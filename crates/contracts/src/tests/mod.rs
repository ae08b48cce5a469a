//! What looks at the rules as a whole: the table, the sums, the bytes, the faults of the forerunners.
//!
//! The cases of a single transaction stand at the bottom of its own file.

mod conservation;
mod energy;
mod golden;
pub mod kit;
mod published;
mod registers;
mod sample;
mod stranger;

use kit::Network;

#[test]
fn the_small_network_stands_and_its_books_are_empty() {
    let network = Network::new();
    network.assert_books();
    let census = network.state().census();
    assert_eq!((census.parties, census.regulators), (12, 3));
}
