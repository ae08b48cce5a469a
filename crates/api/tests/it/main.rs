//! The API over a real ledger in memory: what a client sees, address by address.

mod accounts;
mod garbage;
mod hosting;
mod kit;
mod live;
mod metrics;
mod openapi;
mod pages;
mod pruned;
mod reading;
mod search;
mod serving;
mod sessions;
mod snapshot;
mod submitting;
mod verbs;
