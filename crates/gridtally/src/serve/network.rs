//! How the node of a ledger meets the others.

use std::net::{SocketAddr, TcpListener};

use anyhow::anyhow;
use consensus_bft::{Bft, Peer};
use contracts::Genesis;
use primitives::key::SigningKey;
use serde::Deserialize;

use super::listen_error;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// The table `[network]` of a configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Where this node listens for the others.
    pub listen: Option<SocketAddr>,
    /// The others, as `ed25519:HEX@ADDRESS:PORT`.
    #[serde(default)]
    pub peers: Vec<String>,
    /// This node's key has surely never voted anywhere.
    #[serde(default)]
    pub key_never_voted: bool,
}

impl NetworkConfig {
    /// The orderer among other nodes; none for a node that orders alone. What is not configured is said
    /// with `listen_flag` and `peer_flag`.
    ///
    /// # Errors
    /// Usage: something is missing or wrong. [`Exit::Taken`]: the port is.
    pub fn orderer(
        self,
        genesis: &Genesis,
        key: &SigningKey,
        directory: &Directory,
        [listen_flag, peer_flag]: [&str; 2],
    ) -> Result<Option<Bft>, Ended> {
        let validators = &genesis.validators;
        let Some(listen) = self.listen else {
            if validators.len() == 1 {
                return Ok(None);
            }
            return Err(anyhow!(
                "this ledger has {} validators: say with {listen_flag} where this node listens for \
                 the others",
                validators.len()
            ))
            .end_with(Exit::Usage);
        };
        let peers =
            self.peers.iter().map(|peer| peer.parse().map_err(|error| anyhow!("{peer}: {error}")));
        let peers = peers.collect::<Result<Vec<Peer>, _>>().end_with(Exit::Usage)?;
        let mut others = validators.iter().filter(|validator| **validator != key.public());
        if let Some(other) = others.next().filter(|_| peers.is_empty()) {
            return Err(anyhow!(
                "whom does this node call? Say it with {peer_flag}, as {other}@ADDRESS:PORT"
            ))
            .end_with(Exit::Usage);
        }
        // The engine listens on a thread of its own; whether the port is free is found out here.
        TcpListener::bind(listen).map_err(|error| listen_error(listen, error))?;
        let bft = Bft::new(key.clone(), listen, peers, directory.consensus());
        Ok(Some(bft.never_voted(self.key_never_voted)))
    }
}
