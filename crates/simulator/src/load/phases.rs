//! The timed parts, one after the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::connection::{Connection, SubmitStatus};
use primitives::calendar::LocalDay;
use primitives::envelope::Submission;
use primitives::key::BatchVerifier;
use primitives::units::Timestamp;

use super::measure::{cpu_of, disk_bytes, fsync_us, load_average, peak_rss_kib, rss_kib};
use super::network::{Network, PAYERS, found};
use super::{Latency, LoadError, LoadPlan, LoadReport, Rate, Target, work};
use crate::plan::DayPlan;

/// Slots of a day with 15-minute periods in a zone without clock changes.
const SLOTS: u32 = 96;
/// Signatures of one equation in the bare verification; the node's own batches are alike.
const BATCH: usize = 512;
/// Readings of which the cost is taken together, to compare the first with the last.
const PART: usize = 100_000;

/// Runs the whole load against fresh nodes with the genesis of `day_plan` among as many validators.
///
/// `tell` hears what is being done.
///
/// # Errors
/// [`LoadError`]; any transaction that is not accepted is one.
pub fn run(
    plan: &LoadPlan,
    day_plan: &DayPlan,
    target: &Target,
    tell: &mut dyn FnMut(&str),
) -> Result<LoadReport, LoadError> {
    check(plan)?;
    let load_before = load_average();
    tell("registering");
    let mut network = found(&target.url, (day_plan, target.validators), plan.homes)?;
    let mut day = day_plan.day;

    let mut readings = Rate::default();
    let mut bare = Rate::default();
    let mut samples = Vec::new();
    let mut parts = Vec::new();
    let before = settled_disk(target)?;
    let mut slots_left = plan.slots;
    let reading_days = day;
    while slots_left > 0 {
        let slots = slots_left.min(SLOTS) as usize;
        tell(&format!("readings of {day}"));
        end_day(&mut network, day)?;
        let signed = work::readings(&mut network, day, slots, plan.threads)?;
        for part in signed.chunks(PART) {
            add(&mut bare, bare_verification(part, plan.threads)?);
            // What the node does in the background after a part belongs to that part.
            parts.push((target.cpu()?, part.len()));
            let (rate, latencies) = timed(plan, target, part)?;
            add(&mut readings, rate);
            samples.extend(latencies);
        }
        slots_left -= slots as u32;
        day = day.next()?;
    }
    let after_readings = settled_disk(target)?;

    let mut report = LoadReport {
        readings_latency: Latency::of(samples),
        readings_growth: growth(&parts, target.cpu()?),
        rss_kib: target.largest(rss_kib)?,
        readings_disk_bytes: after_readings.saturating_sub(before) / readings.count.max(1),
        readings,
        bare_verify: bare,
        threads: plan.threads,
        ..LoadReport::default()
    };
    if plan.seals {
        seal_and_bill(plan, target, &mut network, (reading_days, day), &mut report, tell)?;
    }
    report.peak_rss_kib = target.largest(peak_rss_kib)?;
    report.load_average = (load_before, load_average());
    Ok(report)
}

/// Day seals, charges, bills, payments and the lone client.
fn seal_and_bill(
    plan: &LoadPlan,
    target: &Target,
    network: &mut Network,
    (reading_day, day): (LocalDay, LocalDay),
    report: &mut LoadReport,
    tell: &mut dyn FnMut(&str),
) -> Result<(), LoadError> {
    let readings_of_a_day = u64::from(plan.homes) * u64::from(SLOTS);
    if plan.slots >= SLOTS {
        tell("seals of a day with single readings");
        let signed = work::seals(network, reading_day)?;
        report.agreeing_seals = timed(plan, target, &signed)?.0;
        report.agreeing_seals.count = readings_of_a_day;
    }
    tell("day seals");
    end_day(network, day)?;
    let before = settled_disk(target)?;
    let signed = work::seals(network, day)?;
    report.seals = timed(plan, target, &signed)?.0;
    report.seals.count = readings_of_a_day;
    report.seals_disk_bytes = settled_disk(target)?.saturating_sub(before) / readings_of_a_day;

    tell("charges and bills");
    let frequencies = work::frequencies(network, day)?;
    network.send("frequencies", &frequencies)?;
    let signed = work::charges(network, day)?;
    report.charges = one_by_one(network, target, &signed)?;
    report.charges.count = readings_of_a_day;
    let signed = work::bills(network, day)?;
    report.bills = one_by_one(network, target, &signed)?;
    report.bills.count = u64::from(plan.homes);

    tell("payments to one account");
    let signed = work::payments(network, plan.payments)?;
    let contention =
        LoadPlan { clients: PAYERS, per_request: 1, requests_per_second: 0, ..plan.clone() };
    report.payments = timed_in_turn(&contention, target, &signed)?.0;

    tell("a lone client");
    report.fsync_us = fsync_us(&target.store, 100)?;
    let signed = work::payments(network, plan.lone)?;
    let lone = LoadPlan { clients: 1, ..contention };
    report.lone = Latency::of(timed(&lone, target, &signed)?.1);
    Ok(())
}

fn check(plan: &LoadPlan) -> Result<(), LoadError> {
    if !(1..=100_000).contains(&plan.homes) {
        return Err(LoadError::Plan("homes must lie between 1 and 100000"));
    }
    if plan.clients == 0 || !(1..=1_000).contains(&plan.per_request) {
        return Err(LoadError::Plan("at least one client, and 1 to 1000 transactions per request"));
    }
    Ok(())
}

/// The clock passes the end of a day, so that its readings are accepted.
fn end_day(network: &mut Network, day: LocalDay) -> Result<(), LoadError> {
    let calendar = network.rules.calendar();
    let to: Timestamp = calendar.start_of(calendar.periods_of(day.next()?).first);
    network.advance(to)
}

/// CPU nanoseconds of the node per reading over the first and the last [`PART`] readings or a few
/// more; zero for fewer.
fn growth(parts: &[(Duration, usize)], end: Duration) -> (u64, u64) {
    let ends = parts.iter().skip(1).map(|(begin, _)| *begin).chain([end]);
    let spent: Vec<_> =
        parts.iter().zip(ends).map(|((begin, count), end)| (end - *begin, *count)).collect();
    (first_part(spent.iter()), first_part(spent.iter().rev()))
}

fn first_part<'a>(spent: impl Iterator<Item = &'a (Duration, usize)>) -> u64 {
    let (mut time, mut sum) = (Duration::ZERO, 0);
    for (of, count) in spent {
        time += *of;
        sum += count;
        if sum >= PART {
            return u64::try_from(time.as_nanos() / sum as u128).unwrap_or(u64::MAX);
        }
    }
    0
}

/// Disk use once the store has had a moment to write its tables.
fn settled_disk(target: &Target) -> Result<u64, LoadError> {
    let mut last = 0;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(500));
        let now = disk_bytes(&target.store)?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

fn add(sum: &mut Rate, part: Rate) {
    sum.count += part.count;
    sum.wall += part.wall;
    sum.cpu += part.cpu;
    sum.node_cpu += part.node_cpu;
}

/// Verifies the signatures of `submissions` and nothing else, on as many threads as the node has.
fn bare_verification(submissions: &[Submission], threads: usize) -> Result<Rate, LoadError> {
    let messages: Vec<_> = submissions
        .iter()
        .map(|it| {
            let transaction = &it.transaction;
            (transaction.envelope.signer, transaction.signatures[0], transaction.id())
        })
        .collect();
    let cpu = cpu_of(std::process::id())?;
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let chunks: Vec<_> = messages.chunks(BATCH).collect();
    let all_right = Mutex::new(true);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut batch = BatchVerifier::new();
                    for (key, signature, id) in *chunk {
                        batch.queue(*key, *signature, id.as_bytes());
                    }
                    if !batch.verify([7; 32])
                        && let Ok(mut all_right) = all_right.lock()
                    {
                        *all_right = false;
                    }
                }
            });
        }
    });
    if !all_right.into_inner().unwrap_or(false) {
        return Err(LoadError::Plan("a signature made here does not verify"));
    }
    Ok(Rate {
        count: messages.len() as u64,
        wall: started.elapsed(),
        cpu: cpu_of(std::process::id())?.saturating_sub(cpu),
        node_cpu: Duration::ZERO,
    })
}

/// Sends requests from all clients at once; each client takes the next request when it is free.
fn timed(
    plan: &LoadPlan,
    target: &Target,
    submissions: &[Submission],
) -> Result<(Rate, Vec<Duration>), LoadError> {
    let requests: Vec<&[Submission]> = submissions.chunks(plan.per_request as usize).collect();
    let next = AtomicUsize::new(0);
    timed_with(plan, target, submissions.len(), &|_| {
        let index = next.fetch_add(1, Ordering::Relaxed);
        requests.get(index).map(|request| (index, *request))
    })
}

/// Sends single submits; each client has its own share, as each payer sends its own payments.
fn timed_in_turn(
    plan: &LoadPlan,
    target: &Target,
    submissions: &[Submission],
) -> Result<(Rate, Vec<Duration>), LoadError> {
    let clients = plan.clients as usize;
    let next: Vec<AtomicUsize> = (0..clients).map(AtomicUsize::new).collect();
    timed_with(plan, target, submissions.len(), &|client| {
        let index = next[client].fetch_add(clients, Ordering::Relaxed);
        submissions.get(index).map(|one| (index, std::slice::from_ref(one)))
    })
}

/// The next request of a client and its number among all.
type NextRequest<'a, 'b> = &'b (dyn Fn(usize) -> Option<(usize, &'a [Submission])> + Sync);

fn timed_with<'a>(
    plan: &LoadPlan,
    target: &Target,
    count: usize,
    next: NextRequest<'a, '_>,
) -> Result<(Rate, Vec<Duration>), LoadError> {
    let samples = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let (own_cpu, node_cpu) = (cpu_of(std::process::id())?, target.cpu()?);
    let started = Instant::now();
    thread::scope(|scope| {
        for client in 0..plan.clients as usize {
            let (samples, failure) = (&samples, &failure);
            scope.spawn(move || {
                let result = client_loop(plan, target, started, &|| next(client));
                match result {
                    Ok(own) => samples.lock().expect(UNPOISONED).extend(own),
                    Err(error) => *failure.lock().expect(UNPOISONED) = Some(error),
                }
            });
        }
    });
    let wall = started.elapsed();
    if let Some(error) = failure.into_inner().expect(UNPOISONED) {
        return Err(error);
    }
    let own_cpu = cpu_of(std::process::id())?.saturating_sub(own_cpu);
    let node_cpu = target.cpu()?.saturating_sub(node_cpu);
    let rate = Rate { count: count as u64, wall, cpu: own_cpu + node_cpu, node_cpu };
    Ok((rate, samples.into_inner().expect(UNPOISONED)))
}

const UNPOISONED: &str = "no client panics while it notes its result";

fn client_loop<'a>(
    plan: &LoadPlan,
    target: &Target,
    started: Instant,
    next: &dyn Fn() -> Option<(usize, &'a [Submission])>,
) -> Result<Vec<Duration>, LoadError> {
    let connection = Connection::new(&target.url)?;
    let mut samples = Vec::new();
    while let Some((number, request)) = next() {
        let mut sent = Instant::now();
        if plan.requests_per_second > 0 {
            // Open loop: a request has its time, and its latency counts from then on.
            let due = started
                + Duration::from_micros(
                    number as u64 * 1_000_000 / u64::from(plan.requests_per_second),
                );
            thread::sleep(due.saturating_duration_since(sent));
            sent = due;
        }
        for outcome in connection.submit(request)? {
            if outcome.status != SubmitStatus::Accepted {
                return Err(LoadError::NotAccepted {
                    step: "load",
                    code: outcome.code,
                    detail: outcome.detail,
                });
            }
        }
        samples.push(sent.elapsed());
    }
    Ok(samples)
}

/// Large transactions, one after the other.
fn one_by_one(
    network: &Network,
    target: &Target,
    submissions: &[Submission],
) -> Result<Rate, LoadError> {
    let (own_cpu, node_cpu) = (cpu_of(std::process::id())?, target.cpu()?);
    let started = Instant::now();
    for submission in submissions {
        network.send("bulk", std::slice::from_ref(submission))?;
    }
    let own_cpu = cpu_of(std::process::id())?.saturating_sub(own_cpu);
    let node_cpu = target.cpu()?.saturating_sub(node_cpu);
    let count = submissions.len() as u64;
    Ok(Rate { count, wall: started.elapsed(), cpu: own_cpu + node_cpu, node_cpu })
}
