//! The books of the month, kept by hand: accounts, what is open of each bill, credits and fines.
//!
//! Like [`super::reckoning`] it calls nothing of the product. It follows the sentences of
//! `docs/protocol.md` §10 and §11, one function for each thing that people do.

use std::collections::BTreeMap;

use super::reckoning::{Line, total};

/// An account: whose, and `wallet`, `issuing` or `dues-` with the other party, as the API names it.
type Account = (String, String);

/// When and how much is fined, in micro and hundredths of a per cent.
#[derive(Clone, Copy)]
pub struct FineRules {
    pub threshold: i64,
    pub grace_days: usize,
    pub fixed: i64,
    pub daily: i64,
    pub cap: i64,
}

/// A bill and what became of it.
#[derive(Clone, Debug)]
pub struct Bill {
    pub period: String,
    pub revision: u32,
    pub lines: Vec<Line>,
    /// Paid by the customer, less what was paid or carried to it.
    pub paid: i64,
    pub open: i64,
    pub credited: i64,
    pub held: i64,
    pub issued_on: usize,
    pub paid_on: Option<usize>,
    pub disputed: Option<(i64, usize)>,
    pub replaced: bool,
}

impl Bill {
    fn of_kind(&self, kind: &str) -> i64 {
        self.lines.iter().filter(|line| line.kind == kind).map(|line| line.amount).sum()
    }

    pub fn total(&self) -> i64 {
        total(&self.lines)
    }

    /// Issued, unpaid and undisputed, without the fine; what is paid goes to the fine first.
    fn due(&self) -> i64 {
        let payable = self.open.max(0) - self.held;
        let unpaid_fine = (self.of_kind("fine") - self.paid.max(0)).clamp(0, self.open.max(0));
        (payable - unpaid_fine).max(0)
    }
}

/// A usage point: who is who, its bills, its credit, and its dues at the end of each day and at their
/// lowest within it.
#[derive(Clone)]
pub struct Point {
    pub customer: String,
    pub biller: String,
    /// Who owes for energy injected: the grid operator.
    pub export_payer: String,
    pub bills: Vec<Bill>,
    pub credit: i64,
    dues: Vec<(i64, i64)>,
    fined: i64,
}

/// Days that the story can last.
const DAYS: usize = 64;

impl Point {
    pub fn new(customer: &str, biller: &str, export_payer: &str) -> Self {
        Self {
            customer: customer.to_owned(),
            biller: biller.to_owned(),
            export_payer: export_payer.to_owned(),
            bills: Vec::new(),
            credit: 0,
            dues: vec![(0, 0); DAYS],
            fined: 0,
        }
    }

    fn dues_are(&mut self, today: usize) {
        let now = self.bills.iter().map(Bill::due).sum();
        let lowest = self.dues[today].1.min(now);
        self.dues[today..].fill((now, now));
        self.dues[today].1 = lowest;
    }

    /// Everything fined by the ends of the days before `today`, in micro, whole cents.
    fn fine(&self, rules: &FineRules, today: usize) -> i64 {
        // In 10⁻⁴ micro: nothing is rounded until the end.
        let (mut all, mut run) = (0_i128, None::<(usize, bool, i128)>);
        for (day, (end, lowest)) in self.dues[..today].iter().enumerate() {
            if *lowest <= rules.threshold {
                run = None;
            }
            if *end <= rules.threshold {
                run = None;
                continue;
            }
            let (since, fixed, so_far) = run.unwrap_or((day, false, 0));
            let mut more = 0;
            if day - since >= rules.grace_days && !fixed {
                more += i128::from(rules.fixed) * 10_000;
            }
            if day - since > rules.grace_days {
                more += i128::from(end - rules.threshold) * i128::from(rules.daily);
            }
            let cap = i128::from(*end) * i128::from(rules.cap);
            let more = more.min(cap - so_far).max(0);
            all += more;
            run = Some((since, fixed || day - since >= rules.grace_days, so_far + more));
        }
        i64::try_from(all / 10_000 / 10_000).unwrap() * 10_000
    }
}

/// The whole book.
#[derive(Clone, Default)]
pub struct Books {
    pub accounts: BTreeMap<Account, i64>,
    pub points: BTreeMap<String, Point>,
    pub fines: Option<FineRules>,
    /// The day, counted from the first of the story.
    pub today: usize,
}

impl Books {
    fn post(&mut self, from: Account, to: Account, amount: i64) {
        *self.accounts.entry(from).or_default() -= amount;
        *self.accounts.entry(to).or_default() += amount;
    }

    /// One party comes to owe another.
    fn owe(&mut self, debtor: &str, creditor: &str, amount: i64) {
        let account = |party: &str, other: &str| (party.to_owned(), format!("dues-{other}"));
        self.post(account(debtor, creditor), account(creditor, debtor), amount);
    }

    /// What the debtor owes the creditor goes over the collector from now on.
    fn interpose(&mut self, debtor: &str, creditor: &str, collector: &str, amount: i64) {
        self.owe(creditor, debtor, amount);
        self.owe(debtor, collector, amount);
        self.owe(collector, creditor, amount);
    }

    pub fn buy_tokens(&mut self, buyer: &str, aggregator: &str, amount: i64) {
        let account = |party: &str, kind: &str| (party.to_owned(), kind.to_owned());
        self.post(account(aggregator, "issuing"), account(buyer, "wallet"), amount);
    }

    /// Tokens pass, and what the payer owes falls.
    pub fn pay_dues(&mut self, payer: &str, payee: &str, amount: i64) {
        let wallet = |party: &str| (party.to_owned(), "wallet".to_owned());
        self.post(wallet(payer), wallet(payee), amount);
        self.owe(payee, payer, amount);
    }

    fn point(&mut self, point: &str) -> &mut Point {
        self.points.get_mut(point).unwrap()
    }

    /// What a bill makes people owe; `sign` −1 takes it back.
    fn legs(&mut self, point: &str, bill: &Bill, sign: i64) {
        let Point { customer, biller, export_payer, .. } = self.points[point].clone();
        let given = -bill.of_kind("energy_export");
        let charged = bill.total() + given;
        let netted = if biller == export_payer { 0 } else { charged.min(given) };
        self.owe(&customer, &biller, sign * (charged - netted));
        self.owe(&export_payer, &customer, sign * (given - netted));
        if netted > 0 {
            self.owe(&export_payer, &biller, sign * netted);
        }
        // What the customer received beyond what the bill gives it is owed back, by way of the biller.
        let received = (-bill.paid).max(0);
        let too_much = (received - (-bill.total()).max(0)).max(0);
        if biller != export_payer {
            self.interpose(&customer, &export_payer, &biller, sign * too_much);
        }
    }

    /// Pays the open bills out of an amount, the oldest first; gives what is left.
    fn settle(&mut self, point: &str, mut amount: i64) -> i64 {
        let today = self.today;
        let record = self.point(point);
        for bill in record.bills.iter_mut().filter(|bill| bill.open > 0) {
            let part = amount.min(bill.open - bill.held);
            bill.open -= part;
            bill.paid += part;
            amount -= part;
            if bill.open == 0 {
                bill.paid_on = Some(today);
            }
        }
        record.dues_are(today);
        amount
    }

    fn add_credit(&mut self, point: &str, amount: i64) {
        let credit = self.points[point].credit + amount;
        self.point(point).credit = self.settle(point, credit);
    }

    /// Issues the bill of a period, or the next revision of it.
    pub fn issue(&mut self, point: &str, period: &str, mut lines: Vec<Line>) {
        let (today, rules) = (self.today, self.fines);
        let record = self.point(point);
        let former = record.bills.iter().rposition(|bill| bill.period == period);
        let fine = match (former, rules) {
            (Some(former), _) => record.bills[former].of_kind("fine"),
            (None, Some(rules)) => {
                let fine = (record.fine(&rules, today) - record.fined).max(0);
                record.fined += fine;
                fine
            }
            (None, None) => 0,
        };
        if fine > 0 {
            lines.push(Line { kind: "fine", slab: 0, energy: 0, amount: fine });
        }
        let mut bill = Bill {
            period: period.to_owned(),
            revision: 1,
            lines,
            paid: 0,
            open: 0,
            credited: 0,
            held: 0,
            issued_on: today,
            paid_on: None,
            disputed: None,
            replaced: false,
        };
        if let Some(former) = former {
            let old = self.take_back(point, former);
            bill.revision = old.revision + 1;
            bill.paid = old.paid.min(0);
            let lower = old.total().max(0) - bill.total().max(0);
            let days = (old.issued_on, old.paid_on.unwrap_or(today));
            self.forgive(point, lower, days);
        }
        self.legs(point, &bill, 1);
        bill.open = bill.total() - bill.paid;
        let record = self.point(point);
        let used = record.credit.min(bill.open).max(0);
        record.credit -= used;
        bill.paid += used;
        bill.open -= used;
        if bill.open <= 0 {
            bill.paid_on = Some(today);
        }
        record.bills.push(bill);
        // Credit that is left pays what else is open, when a bill was replaced.
        if former.is_some() {
            self.add_credit(point, 0);
        }
        self.point(point).dues_are(today);
    }

    /// The credit note: every posting of the bill is reversed, what was paid becomes credit. Gives
    /// the bill as it was.
    fn take_back(&mut self, point: &str, index: usize) -> Bill {
        let old = self.points[point].bills[index].clone();
        self.legs(point, &old, -1);
        let Point { customer, biller, .. } = self.points[point].clone();
        self.owe(&customer, &biller, old.credited);
        let record = self.point(point);
        record.credit += old.paid.max(0);
        let bill = &mut record.bills[index];
        (bill.paid, bill.open, bill.credited, bill.held) = (0, 0, 0, 0);
        bill.replaced = true;
        old
    }

    pub fn pay(&mut self, point: &str, amount: i64) {
        let Point { customer, biller, .. } = self.points[point].clone();
        self.pay_dues(&customer, &biller, amount);
        let left = self.settle(point, amount);
        self.point(point).credit += left;
    }

    fn last_bill(&mut self, point: &str) -> &mut Bill {
        self.point(point).bills.last_mut().unwrap()
    }

    /// The grid operator pays a negative bill to the customer.
    pub fn pay_out(&mut self, point: &str) {
        let amount = -self.last_bill(point).open;
        let Point { customer, export_payer, .. } = self.points[point].clone();
        self.pay_dues(&export_payer, &customer, amount);
        let bill = self.last_bill(point);
        bill.paid -= amount;
        bill.open = 0;
    }

    /// What is owed for a negative bill becomes credit at the distributor.
    pub fn carry(&mut self, point: &str) {
        let amount = -self.last_bill(point).open;
        let Point { customer, biller, export_payer, .. } = self.points[point].clone();
        self.interpose(&export_payer, &customer, &biller, amount);
        let bill = self.last_bill(point);
        bill.paid -= amount;
        bill.open = 0;
        self.add_credit(point, amount);
    }

    /// The customer disputes an amount of the bill with this number, counted from 0.
    pub fn dispute(&mut self, point: &str, index: usize, amount: i64) {
        let today = self.today;
        let record = self.point(point);
        let bill = &mut record.bills[index];
        bill.held = amount.min(bill.open).max(0);
        bill.disputed = Some((amount, today));
        record.dues_are(today);
    }

    /// The regulator decides how much of it was right.
    pub fn decide(&mut self, point: &str, index: usize, upheld: i64) {
        let today = self.today;
        let Point { customer, biller, .. } = self.points[point].clone();
        self.owe(&biller, &customer, upheld);
        let record = self.point(point);
        let bill = &mut record.bills[index];
        let until = bill.paid_on.unwrap_or(DAYS).min(bill.disputed.unwrap().1);
        let days = (bill.issued_on, until);
        let unpaid = upheld.min(bill.open.max(0));
        bill.credited += upheld;
        bill.open -= unpaid;
        bill.paid -= upheld - unpaid;
        bill.held = 0;
        if bill.open == 0 {
            bill.paid_on = Some(today);
        }
        record.dues_are(today);
        self.forgive(point, upheld, days);
        self.add_credit(point, upheld - unpaid);
    }

    /// An amount had never been due at the ends of these days: the fine is counted anew, and what
    /// stands on bills already becomes credit.
    fn forgive(&mut self, point: &str, amount: i64, (from, until): (usize, usize)) {
        let (Some(rules), true) = (self.fines, amount > 0 && from < until) else { return };
        let today = self.today;
        let record = self.point(point);
        for (end, lowest) in &mut record.dues[from..until] {
            (*end, *lowest) = ((*end - amount).max(0), (*lowest - amount).max(0));
        }
        let credited = (record.fined - record.fine(&rules, today)).max(0);
        record.fined -= credited;
        record.credit += credited;
        let Point { customer, biller, .. } = record.clone();
        self.owe(&biller, &customer, credited);
    }

    /// The accounts that are not zero.
    pub fn balances(&self) -> BTreeMap<Account, i64> {
        self.accounts.iter().filter(|(_, it)| **it != 0).map(|(a, b)| (a.clone(), *b)).collect()
    }
}
