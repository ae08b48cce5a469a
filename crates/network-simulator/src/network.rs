//! The simulated network: links with latency and loss, partitions, and a liar's two faces.

use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{
    Config, Link, Network, Oracle, Receiver, Sender, SplitOrigin, SplitSender, SplitTarget,
};
use commonware_p2p::{Message, Recipients};
use commonware_runtime::{IoBuf, Supervisor, deterministic};
use commonware_utils::{NZUsize, Probability};
use consensus_bft::engine::{CHANNELS, max_message_size, quota};

use crate::random::Random;

type Context = deterministic::Context;

/// The peers of each face; a face talks with nobody else.
#[derive(Clone, Debug)]
pub struct Faces {
    pub first: Vec<PublicKey>,
    pub second: Vec<PublicKey>,
}

impl Faces {
    fn forward(
        &self,
        origin: SplitOrigin,
        recipients: &Recipients<PublicKey>,
    ) -> Option<Recipients<PublicKey>> {
        let face = match origin {
            SplitOrigin::Primary => &self.first,
            SplitOrigin::Secondary => &self.second,
        };
        let wanted: Vec<_> = match recipients {
            Recipients::All => face.clone(),
            Recipients::Some(some) => {
                some.iter().filter(|peer| face.contains(peer)).cloned().collect()
            }
            Recipients::One(one) => face.iter().filter(|peer| *peer == one).cloned().collect(),
        };
        (!wanted.is_empty()).then_some(Recipients::Some(wanted))
    }

    fn route(&self, from: &PublicKey) -> SplitTarget {
        match (self.first.contains(from), self.second.contains(from)) {
            (true, true) => SplitTarget::Both,
            (true, false) => SplitTarget::Primary,
            (false, true) => SplitTarget::Secondary,
            (false, false) => SplitTarget::None,
        }
    }
}

pub type Channels = [(Sender<PublicKey, Context>, Receiver<PublicKey>); CHANNELS as usize];
/// The channels of one face.
pub type FaceChannels<S> = [(S, Receiver<PublicKey>); CHANNELS as usize];

/// All links between the validators.
pub struct Links {
    pub oracle: Oracle<PublicKey, Context>,
    pub keys: Vec<PublicKey>,
    /// Is the link from one to another there?
    up: Vec<Vec<bool>>,
}

impl Links {
    pub async fn start(context: &Context, keys: Vec<PublicKey>) -> Self {
        let config = Config {
            max_size: max_message_size(),
            max_peers_per_set: NZUsize!(16),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(8),
        };
        let (network, oracle) =
            Network::new_with_peers(context.child("network"), config, keys.clone()).await;
        network.start();
        let up = vec![vec![false; keys.len()]; keys.len()];
        let mut links = Self { oracle, keys, up };
        links.connect(&mut |_, _| Some(good())).await;
        links
    }

    /// Sets every link anew; `None` cuts it.
    pub async fn connect(&mut self, link: &mut dyn FnMut(usize, usize) -> Option<Link>) {
        for from in 0..self.keys.len() {
            for to in 0..self.keys.len() {
                if from == to {
                    continue;
                }
                let (sender, receiver) = (self.keys[from].clone(), self.keys[to].clone());
                if std::mem::take(&mut self.up[from][to]) {
                    // It may be gone already.
                    let _ = self.oracle.remove_link(sender.clone(), receiver.clone()).await;
                }
                if let Some(link) = link(from, to) {
                    self.up[from][to] = self.oracle.add_link(sender, receiver, link).await.is_ok();
                }
            }
        }
    }

    /// Who shut whom out.
    pub async fn blocked(&self) -> Vec<(usize, usize)> {
        let place = |key: &PublicKey| self.keys.iter().position(|other| other == key);
        let blocked = self.oracle.blocked().await.unwrap_or_default();
        blocked.iter().filter_map(|(by, who)| Some((place(by)?, place(who)?))).collect()
    }

    /// Registers the channels of a validator that starts.
    pub async fn channels(&self, validator: usize) -> Channels {
        let control = self.oracle.control(self.keys[validator].clone());
        let mut channels = Vec::new();
        for channel in 0..CHANNELS {
            channels.push(control.register(channel, quota()).await.expect("the network runs"));
        }
        channels.try_into().unwrap_or_else(|_| unreachable!("as many as there are channels"))
    }
}

/// Two sets of channels over one, each talking with its own peers.
pub fn split(
    context: &Context,
    channels: Channels,
    faces: &Faces,
) -> (
    FaceChannels<impl commonware_p2p::Sender<PublicKey = PublicKey> + use<>>,
    FaceChannels<impl commonware_p2p::Sender<PublicKey = PublicKey> + use<>>,
) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (sender, receiver) in channels {
        let (forwarding, routing) = (faces.clone(), faces.clone());
        let (one, other): (SplitSender<_, _, _>, _) = sender.split_with(
            move |origin: SplitOrigin, recipients: &Recipients<PublicKey>, _: &IoBuf| {
                forwarding.forward(origin, recipients)
            },
        );
        let (incoming, incoming_other) = receiver
            .split_with(context.child("split"), move |(from, _): &Message<PublicKey>| {
                routing.route(from)
            });
        first.push((one, incoming));
        second.push((other, incoming_other));
    }
    let as_many = "as many as there are channels";
    (
        first.try_into().unwrap_or_else(|_| unreachable!("{as_many}")),
        second.try_into().unwrap_or_else(|_| unreachable!("{as_many}")),
    )
}

/// A link between two houses of one city.
pub fn good() -> Link {
    link(5, 2, 100)
}

/// A link of any quality.
pub fn any(random: &mut Random) -> Link {
    link(random.between(2, 80), random.between(0, 30), random.between(75, 100))
}

fn link(latency_ms: u64, jitter_ms: u64, percent: u64) -> Link {
    Link {
        latency: Duration::from_millis(latency_ms),
        jitter: Duration::from_millis(jitter_ms),
        success_rate: Probability::new(percent, 100).expect("a percentage"),
    }
}
