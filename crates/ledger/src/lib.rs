//! Placeholder floor.
pub mod store;
