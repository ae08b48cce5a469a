//! What of the history rules and proofs may still read: the transactions that the state names.
//!
//! A rule finds an old value by a position, and every position stands in a row of the state: a single
//! reading under `r`, seals and corrections under `d` and `f`, what a bill was computed from under
//! `h`. A later row takes its positions from these rows or names the transaction that writes it. So
//! a transaction that no row names can be named by none later on, and whoever keeps the history may
//! let its body and payload go.
//!
//! Other rows hold positions as well (a bill's, a payment's); there they tell an order or lead to a
//! receipt, and nobody reads a body or a payload through them. The tests of the rules run on a state
//! that refuses to read what no row of these four names.

use primitives::codec::{self, CodecError};

use crate::billing::BillSources;
use crate::metering::{FrequencyDay, MeteredDay};
use crate::state::Position;

const SLOT_READING: u8 = b'r';
const METERED_DAY: u8 = b'd';
const FREQUENCY_DAY: u8 = b'f';
const BILL_SOURCES: u8 = b'h';

/// Beginnings of the keys of all rows that name transactions to be read again.
pub const NAMING_ROWS: [u8; 4] = [METERED_DAY, FREQUENCY_DAY, BILL_SOURCES, SLOT_READING];

/// The transactions that a row of the state names to be read again; none for most rows.
///
/// # Errors
/// [`CodecError`] when the row is none that this crate wrote.
pub fn named_by(key: &[u8], value: &[u8]) -> Result<Vec<Position>, CodecError> {
    let mut named = Vec::new();
    match key.first() {
        Some(&SLOT_READING) => named.push(codec::decode(value)?),
        Some(&METERED_DAY) => {
            let day: MeteredDay = codec::decode(value)?;
            named.extend(day.seal.map(|seal| seal.position));
            // A substitute names the meter's own seal, whose values their holders go on holding.
            let of_meter = day.seal_of_meter().map(|seal| seal.position);
            named.extend(of_meter.filter(|position| !named.contains(position)));
            named.extend(day.corrections.iter().map(|it| it.position));
        }
        Some(&FREQUENCY_DAY) => {
            let day: FrequencyDay = codec::decode(value)?;
            named.extend(day.seal.map(|seal| seal.position));
            named.extend(day.corrections.iter().map(|it| it.position));
        }
        Some(&BILL_SOURCES) => {
            let sources: BillSources = codec::decode(value)?;
            let of_days = sources.days.iter().flat_map(|day| {
                let corrections = day.corrections.iter().map(|(_, position)| *position);
                std::iter::once(day.seal).chain(corrections)
            });
            named.extend(of_days);
            let of_frequencies = sources.frequency_days.iter().flat_map(|day| day.iter());
            named.extend(of_frequencies.map(|(_, position)| *position));
        }
        _ => {}
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use primitives::identifier::BillId;

    use super::*;
    use crate::state_key;
    use crate::tests::kit::*;

    #[test]
    fn the_rows_are_those_of_the_state_keys() {
        let network = Network::new();
        let (day, home) = (network.day(0), &network.homes[0]);
        let keys = [
            state_key::metered_day(&home.point, day),
            state_key::frequency_day(day),
            state_key::bill_sources(&BillId::new([1; 16])),
            state_key::slot_reading(&home.point, day, 1),
        ];
        assert_eq!(keys.map(|key| key[0]), NAMING_ROWS);
    }

    #[test]
    fn a_reading_is_named_until_its_day_is_sealed_and_a_seal_from_then_on() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let named = |network: &Network| {
            let rows = network.state.entries.iter();
            rows.flat_map(|(key, value)| named_by(key, value).unwrap()).collect::<Vec<_>>()
        };
        assert!(named(&network).is_empty(), "registrations name nothing that is read again");
        network.accept(&network.submit(&home, network.period(day, 0), reading(5, 0)));
        let single = named(&network);
        assert_eq!(single.len(), 1);
        network.measure_day(day, std::slice::from_ref(&home), reading(5, 0));
        let sealed = named(&network);
        assert!(!sealed.contains(&single[0]), "the seal speaks in its place");
        assert!(!sealed.is_empty());
        network.accept(&network.correct(&home, network.period(day, 3), reading(7, 0)));
        let corrected = named(&network);
        assert_eq!(corrected.len(), sealed.len() + 1, "seal and correction");
        network.accept(&network.correct(&home, network.period(day, 3), reading(8, 0)));
        let again = named(&network);
        assert_eq!(again.len(), corrected.len(), "the later correction takes the place");
        assert_ne!(again, corrected);
    }

    #[test]
    fn a_substitute_names_the_seal_that_it_stands_in_for() {
        let mut network = Network::private();
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(5, 0));
        let named = |network: &Network| {
            let key = state_key::metered_day(&home.point, day);
            named_by(&key, &network.state.entries[&key]).unwrap()
        };
        let of_meter = named(&network);
        assert_eq!(of_meter.len(), 1);
        network.accept(&network.substitute(&home, day, 7));
        let substituted = named(&network);
        assert_eq!((substituted.len(), substituted[1]), (2, of_meter[0]));
    }

    #[test]
    fn what_is_damaged_is_not_taken_for_nothing() {
        for row in NAMING_ROWS {
            assert!(named_by(&[row, 1], &[9]).is_err(), "{row}");
        }
        assert_eq!(named_by(b"anything else", &[9]), Ok(Vec::new()));
    }
}
