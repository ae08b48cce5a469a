//! Whole days through the public interface of the rules: scenarios in sentences, the golden day,
//! and the published Indian figures.

#[cfg(test)]
#[path = "../../src/tests/kit/mod.rs"]
mod kit;

#[cfg(test)]
mod golden_day;
#[cfg(test)]
mod indian_frequencies;
#[cfg(test)]
mod scenarios;
