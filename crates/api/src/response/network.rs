//! The node among the others: who validates, who is connected, who signed last.

use ledger::{LedgerError, View};
use primitives::header::ValidatorSet;
use primitives::key::PublicKey;
use schemars::JsonSchema;
use serde::Serialize;

/// Blocks that are looked through for a validator's newest signature.
const SIGNATURES_WITHIN: u64 = 256;
/// Blocks over which the time of a block is averaged.
const PACE_OVER: u64 = 16;

/// What only the node can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkState {
    /// Its own key.
    pub key: PublicKey,
    /// `solo` or `bft`.
    pub orderer: &'static str,
    /// Other nodes that are connected now.
    pub peers: usize,
    /// Transactions that wait for a block.
    pub mempool: usize,
    /// Its key has a seat and does not vote.
    pub abstains: bool,
}

/// A validator and its newest signature.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ValidatorEntry {
    /// Its key.
    pub validator: String,
    /// The newest block that carries its signature; none when it is not among the last 256. A block
    /// needs a quorum's signatures only, so a validator is missing in some.
    pub last_signed: Option<String>,
}

/// The node among the others.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NetworkEntry {
    /// The node's key.
    pub key: String,
    /// `validator` or `observer`.
    pub role: &'static str,
    /// Its key has a seat and does not vote: its ledger came from a snapshot or a copy, and the key may
    /// have voted before.
    pub abstains: bool,
    /// `solo` or `bft`.
    pub orderer: &'static str,
    /// Other nodes that are connected now.
    pub peers: u32,
    /// Transactions that wait for a block here.
    pub mempool: u32,
    /// The newest block here.
    pub height: String,
    /// The state root after it.
    pub state_root: String,
    /// The epoch of the newest block.
    pub epoch: String,
    /// The view (round) in which the newest certified block was made.
    pub view: String,
    /// Mean time between the last blocks, in milliseconds; none before the second block.
    pub block_ms: Option<u64>,
    /// The validators of the next block, in their order.
    pub validators: Vec<ValidatorEntry>,
}

impl NetworkEntry {
    /// The node as of a view.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn new(view: &View, state: &NetworkState) -> Result<Self, LedgerError> {
        let set = view.validators_at(view.height() + 1)?.current;
        let mut signers: Option<(u64, ValidatorSet)> = None;
        let mut last_signed: Vec<Option<u64>> = vec![None; set.len()];
        let mut newest_view = None;
        let oldest = view.height().saturating_sub(SIGNATURES_WITHIN) + 1;
        for height in (oldest..=view.height()).rev() {
            let Some(sealed) = view.sealed_header(height)? else { continue };
            let epoch = sealed.header.epoch;
            let signers = match signers.take().filter(|(of, _)| *of == epoch) {
                Some(known) => signers.insert(known),
                None => match view.validators_in(epoch)? {
                    Some(of_epoch) => signers.insert((epoch, of_epoch)),
                    None => continue,
                },
            };
            for (place, _) in &sealed.certificate.signatures {
                let key = signers.1.keys().get(usize::from(*place));
                if let Some(place) = set.iter().position(|validator| Some(validator) == key) {
                    last_signed[place].get_or_insert(height);
                }
            }
            if !sealed.certificate.is_absent() {
                newest_view.get_or_insert(sealed.certificate.view);
            }
            if last_signed.iter().all(Option::is_some) {
                break;
            }
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let validators = set.iter().zip(last_signed).map(|(validator, signed)| ValidatorEntry {
            validator: validator.to_string(),
            last_signed: signed.map(|height| height.to_string()),
        });
        let head = view.head();
        Ok(Self {
            key: state.key.to_string(),
            role: if set.contains(&state.key) { "validator" } else { "observer" },
            abstains: state.abstains,
            orderer: state.orderer,
            peers: count(state.peers),
            mempool: count(state.mempool),
            height: view.height().to_string(),
            state_root: head.executed.state_root.to_string(),
            epoch: head.header.epoch.to_string(),
            view: newest_view.unwrap_or(0).to_string(),
            block_ms: block_ms(view)?,
            validators: validators.collect(),
        })
    }
}

/// The mean time between the last blocks; the genesis is not one of them, it may be years old.
fn block_ms(view: &View) -> Result<Option<u64>, LedgerError> {
    let newest = view.height();
    let oldest = newest.saturating_sub(PACE_OVER).max(1);
    if newest <= oldest {
        return Ok(None);
    }
    let Some(first) = view.header(oldest)? else { return Ok(None) };
    let elapsed = view.head().header.time.get().saturating_sub(first.time.get());
    Ok(Some(elapsed / (newest - oldest)))
}
