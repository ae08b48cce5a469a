//! `/metrics`: numbers for the operator, without rights and without ids.

use contracts::registry::SuspendParty;

use crate::kit::{Network, PRIVATE};

/// The value of a line without labels, or with exactly these.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(it, _)| it == name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn what_became_of_submissions_is_counted() {
    let network = Network::new(PRIVATE);
    let body = SuspendParty { party: network.neighbour.id };
    let good = network.submission(&[&network.regulator.key], body.clone(), Vec::new());
    assert_eq!(network.submit(&good).await.status, 200);
    let bad = network.submission(&[&network.customer.key], body, Vec::new());
    network.submit(&bad).await.problem(409, "SenderNotPermitted");
    let seen = network.get("/metrics").await;
    assert_eq!(seen.status, 200);
    assert!(seen.header("content-type").is_some_and(|it| it.contains("openmetrics-text")));
    let text = seen.text();
    let view = network.node.ledger.view();
    assert_eq!(value(&text, "gridtally_height"), Some(view.height()), "{text}");
    assert_eq!(value(&text, "gridtally_provable_height"), Some(view.provable_height()));
    assert_eq!(value(&text, "gridtally_ledger_transactions"), Some(view.head().transactions));
    let accepted = "gridtally_submissions_total{status=\"accepted\",code=\"Accepted\"}";
    assert_eq!(value(&text, accepted), Some(1), "{text}");
    let rejected = "gridtally_submissions_total{status=\"rejected\",code=\"SenderNotPermitted\"}";
    assert_eq!(value(&text, rejected), Some(1), "{text}");
    assert_eq!(value(&text, "gridtally_submit_seconds_count"), Some(2));
    assert_eq!(value(&text, "gridtally_requests_total{class=\"4xx\"}"), Some(1));
    let rule = "gridtally_rejections_total{number=\"106\",code=\"SenderNotPermitted\"}";
    assert_eq!(value(&text, rule), Some(1), "{text}");
    let lag = view.height() - view.provable_height();
    assert_eq!(value(&text, "gridtally_executed_lag_blocks"), Some(lag));
    assert_eq!(value(&text, "gridtally_clock_behind_total"), Some(0));
    assert_eq!(value(&text, "gridtally_block_seconds_count"), Some(0));
    assert!(!text.contains("mempool"), "nobody could say it");
    assert!(!text.contains(&network.customer.id.to_string()[..8]));
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn blocks_readings_and_a_clock_behind_are_counted() {
    let network = Network::new(PRIVATE);
    network.wait_days(1);
    let day = network.day.next().expect("a day");
    let single = network.slot_submission(day, 3);
    assert_eq!(network.submit(&single).await.status, 200);
    for _ in 0..3 {
        network.metrics.committed(std::time::Duration::from_millis(2));
    }
    network.metrics.clock_behind();
    let text = network.get("/metrics").await.text();
    let readings = "gridtally_readings_total{kind=\"SubmitReading\"}";
    assert_eq!(value(&text, readings), Some(1), "{text}");
    assert_eq!(value(&text, "gridtally_block_seconds_count"), Some(2), "between three blocks");
    assert_eq!(value(&text, "gridtally_commit_seconds_count"), Some(3));
    assert_eq!(value(&text, "gridtally_clock_behind_total"), Some(1));
}
