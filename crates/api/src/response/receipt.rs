//! The words for codes: a receipt keeps code and numbers, this floor gives them their name and text.

use contracts::{Malformed, Rejection};

/// The name of a code: of the rule, of the form error, or `Accepted`.
#[must_use]
pub fn name(code: u16) -> &'static str {
    if code == 0 {
        return "Accepted";
    }
    let form = Malformed::ALL.iter().find(|(number, _)| *number == code).map(|(_, name)| *name);
    let rule = || Rejection::ALL.iter().find(|(number, ..)| *number == code).map(|(_, it, _)| *it);
    form.or_else(rule).unwrap_or("Unknown")
}

/// The text of a rejection with its numbers, which stand in the order of the text's places.
#[must_use]
pub fn text(code: u16, numbers: &[u64]) -> String {
    let Some((_, _, template)) = Rejection::ALL.iter().find(|(number, ..)| *number == code) else {
        return String::new();
    };
    let mut text = String::with_capacity(template.len());
    let mut numbers = numbers.iter();
    let mut rest = *template;
    while let Some((before, place)) = rest.split_once('{') {
        text.push_str(before);
        let (_, after) = place.split_once('}').unwrap_or((place, ""));
        match numbers.next() {
            Some(number) => text.push_str(&number.to_string()),
            None => text.push('…'),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_equal_those_of_the_rules() {
        let cases = [
            Rejection::SequenceOutsideWindow { sequence: 5_000, highest: 7 },
            Rejection::QuorumNotReached { signed: 1, wanted: 2 },
            Rejection::AboveConnectionLimit { period: 12, limit_wh: 34 },
            Rejection::SealSequenceUsed { sequence: 3, last: 4 },
            Rejection::InsufficientFunds { balance_micro: 17 },
            Rejection::PartyUnknown,
        ];
        for rejection in cases {
            assert_eq!(text(rejection.code(), &rejection.numbers()), rejection.to_string());
            assert_eq!(name(rejection.code()), rejection.name());
        }
    }

    #[test]
    fn missing_numbers_and_unknown_codes_are_no_failure() {
        assert_eq!(text(109, &[1]), "1 of … required members signed");
        assert_eq!((name(65_000), text(65_000, &[]).as_str()), ("Unknown", ""));
        assert_eq!((name(0), name(2)), ("Accepted", "Signature"));
    }
}
