//! Tests that span modules, and the golden files that pin the bytes of this floor.

mod calendar;
mod codec;
mod golden;
mod merkle;
mod proof;
mod reading;
mod sample;
mod signature;
