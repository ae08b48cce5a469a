//! Connections between the nodes of a network that can be cut.
//!
//! Every node reaches every other through a proxy of its own, which is named in its configuration.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{NAMES, TestNetwork};

/// A way from one node to another.
struct Link {
    is_open: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Link {
    /// Passes on whatever is connected to the address that this gives.
    fn to(target: SocketAddr) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let link = Arc::new(Self { is_open: AtomicBool::new(true), streams: Mutex::default() });
        let accepting = Arc::clone(&link);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepting.pass(&stream, target);
            }
        });
        (link, address)
    }

    fn pass(self: &Arc<Self>, incoming: &TcpStream, target: SocketAddr) {
        if !self.is_open.load(Ordering::SeqCst) {
            return;
        }
        let timeout = Duration::from_secs(1);
        let Ok(outgoing) = TcpStream::connect_timeout(&target, timeout) else { return };
        let mut streams = self.streams.lock().unwrap();
        for (from, to) in [(incoming, &outgoing), (&outgoing, incoming)] {
            let _ = from.set_nodelay(true);
            streams.push(from.try_clone().unwrap());
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || {
                // An end on one side is an end on both.
                let _ = std::io::copy(&mut from, &mut to);
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }

    fn set(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::SeqCst);
        if !is_open {
            for stream in self.streams.lock().unwrap().drain(..) {
                // It may have ended already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// All ways between the nodes of a network.
pub struct Links(BTreeMap<(&'static str, &'static str), Arc<Link>>);

impl Links {
    /// Puts a proxy into every way and starts the network again with them.
    pub fn between(network: &TestNetwork) -> Self {
        network.stop();
        let file = std::fs::read_to_string(network.path("network.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&file).unwrap();
        let peers: BTreeMap<&str, SocketAddr> = NAMES
            .into_iter()
            .zip(file["nodes"].as_array().unwrap())
            .map(|(name, node)| (name, node["peer"].as_str().unwrap().parse().unwrap()))
            .collect();
        let mut links = BTreeMap::new();
        for from in NAMES {
            let path = network.path(&format!("nodes/{from}/gridtally.toml"));
            let mut text = std::fs::read_to_string(&path).unwrap();
            for to in NAMES.into_iter().filter(|to| *to != from) {
                let (link, address) = Link::to(peers[to]);
                let there = format!("@{}\"", peers[to]);
                assert!(text.contains(&there), "{text}");
                text = text.replace(&there, &format!("@{address}\""));
                links.insert((from, to), link);
            }
            std::fs::write(&path, text).unwrap();
        }
        network.start();
        Self(links)
    }

    /// Cuts every way between these nodes and the others.
    pub fn cut(&self, apart: &[&str]) {
        for ((from, to), link) in &self.0 {
            if apart.contains(from) != apart.contains(to) {
                link.set(false);
            }
        }
    }

    /// Opens every way.
    pub fn heal(&self) {
        self.0.values().for_each(|link| link.set(true));
    }
}
