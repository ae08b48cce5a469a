//! Measures the store with the ledger's shape of work: one synced commit per block.
//!
//! `cargo run --release -p ledger --example measure_store -- DIRECTORY [TRANSACTIONS]` writes blocks
//! of 1, 100, 1,000 and 10,000 transactions into an empty directory, then reads single rows of the
//! last. Per transaction a block holds 180 bytes, and beside it stand a payload row (12-byte key, 45
//! bytes), an index row (random 16-byte key, 12 bytes) and a state row (22-byte key, 18 bytes).
//!
//! Wall times say little on a shared machine: the processor time of the whole process is printed
//! beside them, with the load, and lone commits alternate with a bare fdatasync of an append.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use ledger::store::{Durability, FjallOptions, FjallStore, Keyspace, Store, WriteBatch};

const LONE_COMMITS: u64 = 300;
const READS: u64 = 20_000;
const HOMES: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("name an empty directory")?;
    let most: u64 = arguments.next().map_or(Ok(2_000_000), |text| text.parse())?;
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    for (per_block, transactions) in [(1, 400), (100, 20_000), (1_000, 60_000), (10_000, most)] {
        load(&directory.join(format!("blocks-of-{per_block}")), per_block, transactions)?;
    }
    lone(&directory.join("lone"))?;
    read(&directory.join("blocks-of-10000"), most)
}

fn load(directory: &Path, per_block: u64, transactions: u64) -> Result<(), Box<dyn Error>> {
    let store = FjallStore::open(directory, FjallOptions::default())?;
    let mut commits = Vec::new();
    let begun = processor_time()?;
    let mut building = Duration::ZERO;
    for height in 0..transactions / per_block {
        let before = Instant::now();
        let batch = block(height, height * per_block, per_block);
        building += before.elapsed();
        commits.push(timed(|| store.commit(batch, Durability::Synced))?);
    }
    // Building a block is one busy thread, so its wall time is its processor time.
    let used = processor_time()?.saturating_sub(begun).saturating_sub(building);
    println!(
        "blocks of {per_block}: {} ns of processor per transaction, {} bytes on disk, commit {}, \
         peak memory {}, load {}",
        used.as_nanos() / u128::from(transactions),
        store.disk_bytes()? / transactions,
        spread(commits),
        status("VmHWM:")?,
        load_average()?
    );
    Ok(())
}

fn lone(directory: &Path) -> Result<(), Box<dyn Error>> {
    let store = FjallStore::open(directory, FjallOptions::default())?;
    let mut bare_file = File::create(directory.join("bare"))?;
    let (mut commits, mut bare) = (Vec::new(), Vec::new());
    for height in 0..LONE_COMMITS {
        bare.push(timed(|| bare_file.write_all(&[7; 400]).and_then(|()| bare_file.sync_data()))?);
        let batch = block(height, height, 1);
        commits.push(timed(|| store.commit(batch, Durability::Synced))?);
    }
    println!("lone commit {}; bare append and fdatasync {}", spread(commits), spread(bare));
    Ok(())
}

fn read(directory: &Path, transactions: u64) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let store = FjallStore::open(directory, FjallOptions::default())?;
    println!("opened in {} ms", begun.elapsed().as_millis());
    let index = |number| (Keyspace::TransactionIndex, bytes(number, 16, 16));
    let state = |number| (Keyspace::State, state_key(number));
    reads(&store, "index, there", |read| index(mix(read) % transactions))?;
    reads(&store, "index, not there", |read| index(mix(read) | 1 << 63))?;
    reads(&store, "state", |read| state(mix(read) % transactions))
}

fn reads(
    store: &dyn Store,
    what: &str,
    key: impl Fn(u64) -> (Keyspace, Vec<u8>),
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut found = 0_u64;
    for read in 0..READS {
        let (space, key) = key(read);
        found += u64::from(store.get(space, &key)?.is_some());
    }
    let each = begun.elapsed().as_nanos() / u128::from(READS);
    println!("{what}: {each} ns per read, {found} of {READS} found, load {}", load_average()?);
    Ok(())
}

fn block(height: u64, first: u64, transactions: u64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let mut body = Vec::new();
    for number in first..first + transactions {
        body.extend(bytes(!number, 180, 115));
        let mut payload_key = height.to_be_bytes().to_vec();
        payload_key.extend(((number - first) as u32).to_be_bytes());
        batch.put(Keyspace::Payloads, payload_key, bytes(number ^ 1 << 40, 45, 24));
        let mut place = height.to_be_bytes().to_vec();
        place.extend((number as u32).to_be_bytes());
        batch.put(Keyspace::TransactionIndex, bytes(number, 16, 16), place);
        batch.put(Keyspace::State, state_key(number), bytes(number, 18, 16));
    }
    batch.put(Keyspace::Blocks, height.to_be_bytes(), body);
    batch.put(Keyspace::Receipts, height.to_be_bytes(), bytes(height, 40, 32));
    batch.put(Keyspace::Accumulator, height.to_be_bytes(), bytes(height, 32, 32));
    batch.put(Keyspace::Meta, *b"tip", height.to_be_bytes());
    batch
}

/// One row per home and period, the homes of a period in no order of their ids.
fn state_key(number: u64) -> Vec<u8> {
    let mut key = b"rd".to_vec();
    key.extend(bytes((number % HOMES) ^ 1 << 41, 16, 16));
    key.extend(((number / HOMES) as u32).to_be_bytes());
    key
}

/// As many bytes, the first of them random (signatures, ids), the rest zero.
fn bytes(seed: u64, length: usize, random: usize) -> Vec<u8> {
    let words = (0..).map(|word: u64| mix(mix(seed) ^ word));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).take(random).collect();
    bytes.resize(length, 0);
    bytes
}

/// The mixing step of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let begun = Instant::now();
    work().map(|()| begun.elapsed())
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    format!("p50 {} µs, p95 {} µs, max {} µs", at(50), at(95), at(100))
}

/// Processor time of all threads of this process, in steps of 10 ms (Linux).
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let line = fs::read_to_string("/proc/self/stat")?;
    // Behind the name in brackets; user and system time are the 12th and 13th field from there.
    let fields = line.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}

fn status(field: &str) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    Ok(line.ok_or("no such field in /proc/self/status")?.trim().to_owned())
}

fn load_average() -> Result<String, Box<dyn Error>> {
    Ok(fs::read_to_string("/proc/loadavg")?.split(' ').take(1).collect())
}
