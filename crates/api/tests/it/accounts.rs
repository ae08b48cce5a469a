//! Dues, disputes, statements and the history of accounts, against what the state says.

use contracts::account::Account;
use contracts::billing::{
    DecideDispute, DisputeBill, FineRules, PayBill, SetFineRules, bill_id, fine_standing,
};
use primitives::calendar::BillingPeriod;
use primitives::hash::Hash;
use primitives::identifier::PartyId;
use primitives::units::{BasisPoints, MicroCurrency};
use serde_json::{Value, json};

use crate::kit::{Network, OPEN_DEMO, Setup};

/// Two bills of 120, fined, disputed, decided, amended, billed anew and paid in parts.
pub fn eventful(setup: Setup) -> Network {
    let mut network = Network::new(setup);
    let rules = FineRules {
        threshold: MicroCurrency::new(50_000_000),
        grace_days: 1,
        fixed: MicroCurrency::new(10_000_000),
        daily: BasisPoints::new(100).expect("in range"),
        cap: BasisPoints::new(5_000).expect("in range"),
    };
    let body = SetFineRules { distributor: None, rules };
    network.accept(&[&network.regulator.key], body, Vec::new());
    let (first, first_day) = (network.bill, network.day);
    pay(&network, 20_000_000);
    network.wait_days(5);
    // The second bill takes up the fine on the first one.
    network.bill_another_day();
    let amount = MicroCurrency::new(30_000_000);
    let body = DisputeBill { bill: first, amount, reason_hash: Hash::of(b"why") };
    network.accept(&[&network.customer.key], body, Vec::new());
    let body = DecideDispute { bill: first, upheld: MicroCurrency::new(12_345_600) };
    network.accept(&[&network.regulator.key], body, Vec::new());
    network.correct_last_slot(first_day);
    network.bill_again(first_day);
    pay(&network, 30_000_000);
    pay(&network, 1);
    network.follow();
    network
}

fn pay(network: &Network, micro: i64) {
    let amount = MicroCurrency::new(micro);
    let body = PayBill { usage_point: network.usage_point, amount };
    network.accept(&[&network.customer.key], body, Vec::new());
}

/// What the customer owes under the usage point by the state: open of all bills less the credit.
fn owed(network: &Network) -> i64 {
    let view = network.node.ledger.view();
    let bills = view.bills_of(network.usage_point, 0, 100).expect("the store answers");
    let owed = view.read(|state| {
        let open = bills.iter().map(|bill| state.bill_state(*bill).expect("a bill").open.get());
        open.sum::<i64>() - state.billing_account(network.usage_point).credit.get()
    });
    owed.expect("the store answers")
}

async fn read(network: &Network, path: &str) -> Value {
    let seen = network.get(path).await;
    assert_eq!(seen.status, 200, "{path}: {}", seen.text());
    seen.json()
}

fn micro(value: &Value) -> i64 {
    value.as_str().expect("an amount").parse().expect("an amount")
}

#[tokio::test]
async fn a_statement_adds_up_to_what_is_owed() {
    let network = eventful(OPEN_DEMO);
    let path = format!("/v1/usage-points/{}/statement", network.usage_point);
    let whole = read(&network, &path).await;
    assert_eq!((&whole["opening_micro"], &whole["next"]), (&json!("0"), &Value::Null));
    assert_eq!(micro(&whole["closing_micro"]), owed(&network), "{whole:#}");
    let items = whole["items"].as_array().expect("entries");
    let kinds: Vec<_> = items.iter().map(|it| it["kind"].as_str().expect("a word")).collect();
    let wanted = [
        "bill",
        "payment",
        "bill",
        "fine",
        "dispute_credit",
        "fine_reversal",
        "credit_note",
        "bill",
        "dispute_credit",
        "payment",
        "payment",
    ];
    assert_eq!(kinds, wanted);
    let mut sum = 0;
    for item in items {
        sum += micro(&item["amount_micro"]);
        assert_eq!(micro(&item["balance_micro"]), sum, "{item}");
        let id = item["transaction_id"].as_str().expect("an id");
        let transaction = read(&network, &format!("/v1/transactions/{id}")).await;
        assert_eq!(transaction["height"], item["height"]);
    }
    assert_eq!(items[1]["amount_micro"], "-20000000", "single payments are listed");
    assert_eq!(items[4]["amount_micro"], "-12345600");

    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = read(&network, &format!("{path}?limit=3{next}")).await;
        assert_eq!(page["closing_micro"], whole["closing_micro"]);
        paged.extend(page["items"].as_array().expect("entries").clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&after={cursor}");
    }
    assert_eq!(&paged, items);
}

#[tokio::test]
async fn a_range_of_days_opens_where_the_days_before_closed() {
    let network = eventful(OPEN_DEMO);
    let path = format!("/v1/usage-points/{}/statement", network.usage_point);
    let whole = read(&network, &path).await;
    // The virtual clock stands some days after the first bill.
    let view = network.node.ledger.view();
    let calendar = network.node.ledger.rules().calendar();
    let period = calendar.period_at(view.head().header.time).expect("a period");
    let today = calendar.day_of(period).expect("a day");
    let yesterday = today.offset(-1).expect("a day");
    let before = read(&network, &format!("{path}?to_day={yesterday}")).await;
    let after = read(&network, &format!("{path}?from_day={today}")).await;
    assert_eq!(before["closing_micro"], after["opening_micro"]);
    assert_eq!(after["closing_micro"], whole["closing_micro"]);
    let count = |it: &Value| it["items"].as_array().expect("entries").len();
    assert_eq!(count(&before) + count(&after), count(&whole));
    assert!(count(&before) > 0 && count(&after) > 0, "{before:#} {after:#}");
    let wrong = format!("{path}?from_day={today}&to_day={yesterday}");
    network.get(&wrong).await.problem(400, "WrongQuery");
}

#[tokio::test]
async fn dues_are_those_of_the_state() {
    let network = eventful(OPEN_DEMO);
    let dues = read(&network, &format!("/v1/usage-points/{}/dues", network.usage_point)).await;
    let view = network.node.ledger.view();
    let rules = network.node.ledger.rules();
    let standing = view
        .read(|state| fine_standing(rules, state, network.usage_point, view.head().header.time))
        .expect("the store answers")
        .expect("a usage point");
    assert_eq!(micro(&dues["dues_micro"]), standing.dues.get());
    assert_eq!(micro(&dues["pending_fine_micro"]), standing.pending.get());
    let open = micro(&dues["open_micro"]) - micro(&dues["credit_micro"]);
    assert_eq!(open, owed(&network));
    assert_eq!(dues["fine_rules"]["threshold_micro"], "50000000");
    assert_eq!(dues["fine_rules"]["cap_basis_points"], 5_000);
    let bills = dues["bills"].as_array().expect("bills");
    let sum: i64 = bills.iter().map(|bill| micro(&bill["open_micro"])).sum();
    assert_eq!(micro(&dues["open_micro"]), sum);
    let newest = bills.iter().max_by_key(|bill| bill["number"].as_u64()).expect("a bill");
    let arrears = micro(&dues["arrears_micro"]);
    assert_eq!(arrears, sum - micro(&newest["open_micro"]));
    assert!(sum > 0 && arrears > 0);

    let of_distributor =
        read(&network, &format!("/v1/parties/{}/dues", network.distributor.id)).await;
    assert_eq!(of_distributor["items"].as_array().expect("items").len(), 1);
    let line = &of_distributor["items"][0];
    for name in ["usage_point", "open_micro", "arrears_micro", "credit_micro", "dues_micro"] {
        assert_eq!(line[name], dues[name], "{name}");
    }
    let other = read(&network, &format!("/v1/parties/{}/dues", network.other_distributor.id)).await;
    assert_eq!(other["items"], json!([]));
    network.get(&format!("/v1/parties/{}/dues", PartyId::default())).await.problem(404, "NotFound");
}

#[tokio::test]
async fn disputes_are_found_by_bill_and_state() {
    let network = eventful(OPEN_DEMO);
    let newest = network.bill;
    let body = DisputeBill {
        bill: newest,
        amount: MicroCurrency::new(1_000_000),
        reason_hash: Hash::of(b"again"),
    };
    network.accept(&[&network.customer.key], body, Vec::new());
    network.follow();
    let path = format!("/v1/bills/{newest}/dispute");
    let dispute = read(&network, &path).await;
    assert_eq!(dispute["state"], "open");
    assert_eq!(dispute["amount_micro"], "1000000");
    assert_eq!(dispute["held_micro"], "1000000");
    assert_eq!(dispute["upheld_micro"], Value::Null);
    let dues = read(&network, &format!("/v1/usage-points/{}/dues", network.usage_point)).await;
    assert_eq!(dues["disputes"], json!([dispute.clone()]));
    assert_eq!(dues["held_micro"], "1000000");
    let all = read(&network, "/v1/search/disputes").await;
    let states: Vec<_> =
        all["items"].as_array().expect("items").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["open", "decided"], "newest first");
    assert_eq!(all["items"][0], dispute);
    assert_eq!(all["items"][1]["upheld_micro"], "12345600");
    for (query, count) in [
        ("state=open", 1),
        ("state=decided", 1),
        ("state=replaced", 0),
        ("amount_min=30000000", 1),
        (&format!("bill={newest}"), 1),
        (&format!("usage_point={}", network.usage_point), 2),
        (&format!("party={}", network.customer.id), 2),
        (&format!("party={}", network.neighbour.id), 0),
    ] {
        let found = read(&network, &format!("/v1/search/disputes?{query}")).await;
        assert_eq!(found["items"].as_array().expect("items").len(), count, "{query}");
    }
    let first = bill_id(
        network.usage_point,
        BillingPeriod::Day { day: "2016-06-02".parse().expect("a day") },
        2,
    );
    network.get(&format!("/v1/bills/{first}/dispute")).await.problem(404, "NotFound");
}

#[tokio::test]
async fn the_history_of_an_account_is_its_balance() {
    let network = eventful(OPEN_DEMO);
    let view = network.node.ledger.view();
    for (party, account) in [
        (&network.customer, Account::wallet(network.customer.id)),
        (&network.customer, Account::dues(network.customer.id, network.distributor.id)),
        (&network.customer, Account::dues(network.customer.id, network.grid.id)),
        (&network.distributor, Account::wallet(network.distributor.id)),
        (&network.aggregator, Account::issuing(network.aggregator.id)),
    ] {
        let name = match account.kind.parts() {
            (0, _) => "wallet".to_owned(),
            (1, _) => "issuing".to_owned(),
            (_, other) => format!("dues-{other}"),
        };
        let (mut sum, mut count, mut next) = (0, 0, String::new());
        loop {
            let path = format!("/v1/accounts/{}/history?account={name}&limit=2{next}", party.id);
            let page = read(&network, &path).await;
            for item in page["items"].as_array().expect("items") {
                assert_eq!(item["account"], name.as_str());
                sum += micro(&item["amount_micro"]);
                count += 1;
            }
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&after={cursor}");
        }
        let balance = view.read(|state| state.balance(&account)).expect("the store answers");
        assert_eq!(sum, balance.get(), "{name} of {}, {count} postings", party.id);
        assert!(count > 0 || account.kind.parts().1 == network.grid.id);
    }
    let path = format!("/v1/accounts/{}/history", network.customer.id);
    network.get(&format!("{path}?account=purse")).await.problem(400, "WrongQuery");
    let all = read(&network, &path).await;
    assert_eq!(all["items"][0]["kind_name"], "PayBill");
    let day = network.day.next().expect("a day").next().expect("a day");
    let later = read(&network, &format!("{path}?from_day={day}")).await;
    let earlier =
        read(&network, &format!("{path}?to_day={}", day.offset(-1).expect("a day"))).await;
    let count = |it: &Value| it["items"].as_array().expect("items").len();
    assert_eq!(count(&later) + count(&earlier), count(&all));
}
