//! What happened on the ledger, in its order, from any height on.
//!
//! Nothing is buffered: a reader is a [`Cursor`] into the ledger, and a page is read from there when
//! it can be taken. So a slow reader costs nothing, a reader that comes back misses nothing, and
//! rights are applied to each event as they are when it is read.

use contracts::{Body, Event, Position};
use primitives::codec::decode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::problem::Problem;
use crate::request::Read;
use crate::response::block::BlockEntry;
use crate::response::event::EventEntry;
use crate::routes::kind_name;

/// Blocks and transactions that one page looks at, so that a rare topic takes no long scan.
const MAX_LOOKED_AT: usize = 10_000;

macro_rules! topics {
    ($( $(#[$doc:meta])* $name:ident = $text:literal, )+) => {
        /// What an event is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Topic { $( $(#[$doc])* $name, )+ }

        impl Topic {
            /// The words for all topics.
            pub const NAMES: &'static [&'static str] = &[ $( $text ),+ ];

            /// The word for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )+ }
            }

            fn of_name(name: &str) -> Option<Self> {
                match name { $( $text => Some(Self::$name), )+ _ => None }
            }
        }
    };
}

topics! {
    /// A block was made.
    Block = "block",
    /// The frequency of slots.
    Slot = "slot",
    /// Charges, bills and what becomes of them.
    Bill = "bill",
    /// Readings and seals.
    Meter = "meter",
    /// Postings and tokens.
    Account = "account",
    /// Tariffs.
    Tariff = "tariff",
    /// Parties, keys, stations, usage points, and the clock.
    Registry = "registry",
    /// Transactions that broke a rule, or were there before.
    Transaction = "transaction",
}

impl Topic {
    /// The topic of an event, by the beginning of its name.
    fn of_event(name: &str) -> Self {
        const BEGINNINGS: &[(&str, Topic)] = &[
            ("AlreadyRecorded", Topic::Transaction),
            ("Rejected", Topic::Transaction),
            ("Frequency", Topic::Slot),
            ("Bill", Topic::Bill),
            ("Slot", Topic::Bill),
            ("Credit", Topic::Bill),
            ("Dispute", Topic::Bill),
            ("Fine", Topic::Bill),
            ("Statement", Topic::Bill),
            ("Reading", Topic::Meter),
            ("Day", Topic::Meter),
            ("Meter", Topic::Meter),
            ("Posted", Topic::Account),
            ("Tokens", Topic::Account),
            ("Backing", Topic::Account),
            ("Tariff", Topic::Tariff),
        ];
        let found = BEGINNINGS.iter().find(|(beginning, _)| name.starts_with(beginning));
        found.map_or(Self::Registry, |(_, topic)| *topic)
    }
}

/// A set of topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics(Vec<Topic>);

impl Topics {
    /// Every topic.
    #[must_use]
    pub fn all() -> Self {
        Self(Topic::NAMES.iter().filter_map(|name| Topic::of_name(name)).collect())
    }

    /// The topics of these names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let topics = names.map(|name| Topic::of_name(name).ok_or_else(|| wrong_topic(name)));
        topics.collect::<Result<_, _>>().map(Self)
    }

    fn contains(&self, topic: Topic) -> bool {
        self.0.contains(&topic)
    }
}

fn wrong_topic(name: &str) -> String {
    format!("{} is no topic; there are {}", crate::request::shown(name), Topic::NAMES.join(", "))
}

/// `block,bill`.
impl std::str::FromStr for Topics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::of_names(text.split(','))
    }
}

/// Where a reader stands: the next thing that it has not seen. As text `height.index.event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The block.
    pub height: u64,
    /// 0 is the block itself, 1 its first transaction.
    index: u32,
    /// The event of the transaction.
    event: u32,
}

impl Cursor {
    /// Behind everything that happened up to `height`.
    #[must_use]
    pub const fn after(height: u64) -> Self {
        Self { height: height.saturating_add(1), index: 0, event: 0 }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.height, self.index, self.event)
    }
}

impl std::str::FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let refused = "wanted is the `next` of a page, or the `cursor` of an event";
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(refused);
        let height = part()?.parse().map_err(|_| refused)?;
        let index = part()?.parse().map_err(|_| refused)?;
        let event = part()?.parse().map_err(|_| refused)?;
        if parts.next().is_some() || height == 0 {
            return Err(refused);
        }
        Ok(Self { height, index, event })
    }
}

/// An event with where it happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FeedEntry {
    /// `block`, `slot`, `bill`, `meter`, `account`, `tariff`, `registry` or `transaction`.
    pub topic: &'static str,
    /// The block.
    pub height: String,
    /// The block's time.
    pub time: String,
    /// The transaction's place in the block, from 0; missing for the block itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The name of its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind_name: Option<&'static str>,
    /// What happened.
    #[serde(flatten)]
    pub event: EventEntry,
    /// Given as `after`, the page begins behind this event.
    pub cursor: String,
}

/// A page of events; also a frame of the live connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EventsPage {
    /// The events, in the ledger's order.
    pub items: Vec<FeedEntry>,
    /// Where the next page begins, now or when more has happened: the value for `after`.
    pub next: String,
    /// Is there more already?
    pub more: bool,
    /// The height up to which was looked.
    pub height: String,
}

/// A page while it is filled.
struct Filling<'a> {
    read: &'a Read,
    topics: &'a Topics,
    limit: usize,
    looked_at: usize,
    items: Vec<FeedEntry>,
}

/// Up to `limit` events from the cursor on; gives the cursor behind them and whether it goes on.
///
/// # Errors
/// 500 when the store fails.
pub fn collect(
    read: &Read,
    mut at: Cursor,
    topics: &Topics,
    limit: usize,
) -> Result<(EventsPage, Cursor), Problem> {
    let head = read.view.height();
    let mut filling = Filling { read, topics, limit, looked_at: 0, items: Vec::new() };
    while at.height <= head && !filling.is_full() {
        at = filling.block(at)?;
    }
    let page = EventsPage {
        items: filling.items,
        next: at.to_string(),
        more: at.height <= head,
        height: head.to_string(),
    };
    Ok((page, at))
}

impl Filling<'_> {
    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.looked_at >= MAX_LOOKED_AT
    }

    /// The rest of a block from the cursor on; gives where it stopped.
    fn block(&mut self, mut at: Cursor) -> Result<Cursor, Problem> {
        let damaged = || Problem::internal("a block below the head is missing");
        let sealed = self.read.view.sealed_header(at.height)?.ok_or_else(damaged)?;
        self.looked_at += 1;
        if at.index == 0 {
            at = Cursor { index: 1, event: 0, ..at };
            if self.topics.contains(Topic::Block) {
                let block = BlockEntry::new(&sealed.header, sealed.transactions);
                let event =
                    EventEntry { name: "Block", of: json!(block), values: None, withheld: false };
                self.items.push(FeedEntry {
                    topic: Topic::Block.name(),
                    height: at.height.to_string(),
                    time: sealed.header.time.to_string(),
                    index: None,
                    transaction_id: None,
                    kind_name: None,
                    event,
                    cursor: at.to_string(),
                });
            }
        }
        let time = sealed.header.time.to_string();
        let only_blocks = self.topics.0.iter().all(|topic| *topic == Topic::Block);
        while !only_blocks && at.index <= sealed.transactions {
            if self.is_full() {
                return Ok(at);
            }
            at = self.transaction(at, &time)?;
        }
        if self.is_full() && !only_blocks && at.index <= sealed.transactions {
            return Ok(at);
        }
        Ok(Cursor::after(at.height))
    }

    fn transaction(&mut self, mut at: Cursor, time: &str) -> Result<Cursor, Problem> {
        let damaged = || Problem::internal("a transaction of a block is missing");
        let position = Position { height: at.height, index: at.index - 1 };
        let receipt = self.read.view.receipt(position)?.ok_or_else(damaged)?;
        self.looked_at += 1;
        let mut kept = None;
        for bytes in receipt.events.iter().skip(at.event as usize) {
            if self.items.len() >= self.limit {
                return Ok(at);
            }
            at.event += 1;
            let event: Event = decode(bytes).map_err(Problem::internal)?;
            let topic = Topic::of_event(event.name());
            if !self.topics.contains(topic) {
                continue;
            }
            if kept.is_none() {
                kept = Some(self.read.view.kept(position)?.ok_or_else(damaged)?);
            }
            let envelope = kept.as_ref().expect("read above").envelope();
            let seen = self.read.state(|state| match &event {
                Event::Rejected { .. } => {
                    let body = Body::decode(envelope.kind, &envelope.body).ok();
                    self.read.viewer.sees_transaction(state, envelope, body.as_ref())
                }
                _ => self.read.viewer.sees_event(state, &event),
            })?;
            self.items.push(FeedEntry {
                topic: topic.name(),
                height: at.height.to_string(),
                time: time.to_owned(),
                index: Some(position.index),
                transaction_id: Some(receipt.transaction.to_string()),
                kind_name: Some(kind_name(envelope.kind)),
                event: EventEntry::new(&event, self.read.rules(), seen),
                cursor: at.to_string(),
            });
        }
        Ok(Cursor { index: at.index + 1, event: 0, ..at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_and_topics_are_read_as_written() {
        let cursor = Cursor { height: 7, index: 2, event: 31 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "7", "7.1", "7.1.1.1", "0.0.0", "-1.0.0", "7.x.0"] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
        assert_eq!(Topic::NAMES.join(",").parse(), Ok(Topics::all()));
        assert!("block,peers".parse::<Topics>().is_err());
        assert_eq!(Topic::of_event("FrequencyPublished"), Topic::Slot);
        assert_eq!(Topic::of_event("BillIssued"), Topic::Bill);
        assert_eq!(Topic::of_event("PartyRegistered"), Topic::Registry);
    }
}
