//! Final blocks on their way to execution.
//!
//! A validator in step with the others gets one at a time, and has checked its transactions when it
//! voted. A node that was away gets as many as its peers send: what has come together is checked
//! together, which costs less for each signature, and while the blocks before it are executed.

use commonware_consensus::marshal::Update;
use commonware_runtime::Spawner;
use commonware_utils::acknowledgement::Exact;
use commonware_utils::channel::mpsc;

use crate::application::Application;
use crate::block::OrderedBlock;

/// What marshal reports.
pub(crate) type Updates = mpsc::UnboundedReceiver<Update<OrderedBlock>>;
/// A final block, to be acknowledged when it is durable.
pub(crate) type Final = (OrderedBlock, Exact);

/// Transactions that are checked together, apart from the last block's.
const GROUP: usize = 8_000;
/// Blocks that may wait for their execution once they are checked.
const MAX_AHEAD: usize = 4;

/// Hands final blocks on, in their order; those that came together are checked before.
pub(crate) fn start<E: Spawner>(
    runtime: &E,
    application: Application,
    updates: Updates,
) -> mpsc::Receiver<Final> {
    let (sender, receiver) = mpsc::channel(MAX_AHEAD);
    runtime.child("ahead").spawn(|runtime| hand_on(runtime, application, updates, sender));
    receiver
}

async fn hand_on<E: Spawner>(
    runtime: E,
    application: Application,
    mut updates: Updates,
    sender: mpsc::Sender<Final>,
) {
    let mut before: Option<OrderedBlock> = None;
    while let Some(update) = updates.recv().await {
        let group = gather(update, &mut updates);
        let is_checked = group.iter().all(|(block, _)| application.is_checked(block));
        if let Some(before) = before.clone().filter(|_| !is_checked) {
            let blocks: Vec<_> = group.iter().map(|(block, _)| block.clone()).collect();
            let application = application.clone();
            let checking = runtime.child("check").shared(true).spawn(move |_| async move {
                application.check_ahead(&before, &blocks);
            });
            // A block that was not checked here is checked when it is executed.
            let _ = checking.await;
        }
        if let Some((last, _)) = group.last() {
            before = Some(last.clone());
        }
        for block in group {
            if sender.send(block).await.is_err() {
                return;
            }
        }
    }
}

/// The block of an update and those that have come behind it.
fn gather(first: Update<OrderedBlock>, updates: &mut Updates) -> Vec<Final> {
    let (mut group, mut transactions) = (Vec::new(), 0);
    let mut next = Some(first);
    while let Some(update) = next {
        if let Update::Block(block, acknowledgement) = update {
            let block = block.inner().clone();
            transactions += block.len();
            group.push((block, acknowledgement));
        }
        next = if transactions < GROUP { updates.try_recv().ok() } else { None };
    }
    group
}
