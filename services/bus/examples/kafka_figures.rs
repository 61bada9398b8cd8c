//! What the log on Kafka costs: `cargo run --release -p bus --example kafka_figures -- BROKERS [RECORDS] [BYTES]`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool to measure with"
)]

use std::time::{Duration, Instant};

use bus::{BusConfig, KafkaConfig, NewRecord, Topic};
use model::{Partition, Position, Timestamp};

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as i64)
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{what:<42} p50 {:6.2} ms  p99 {:6.2} ms  max {:6.2} ms", at(0.5), at(0.99), at(1.0));
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let records: u64 = arguments.next().map_or(100_000, |text| text.parse().unwrap());
    let bytes: usize = arguments.next().map_or(1000, |text| text.parse().unwrap());
    let mut config = KafkaConfig::new(vec![brokers], format!("figures-{}", std::process::id()), "one");
    for pair in arguments {
        let (key, value) = pair.split_once('=').unwrap();
        config.properties.insert(key.to_owned(), value.to_owned());
    }
    let start = Instant::now();
    bus::create_topics(&config).await.unwrap();
    println!("{:<42} {:?}", "create_topics", start.elapsed());
    let start = Instant::now();
    let bus = bus::open(BusConfig::Kafka(config.clone())).await.unwrap();
    println!("{:<42} {:?}", "open", start.elapsed());

    serial("append, one at a time, decisions", &bus.decisions, bytes).await;
    serial("append, one at a time, events", &bus.events, bytes).await;
    round_trip("append to next(), decisions", &bus.decisions, bytes).await;
    round_trip("append to next(), events", &bus.events, bytes).await;
    first_record(&bus.events).await;
    groups(&bus).await;
    throughput(&bus.events, records, bytes).await;
    idle(&bus).await;
    println!("{:?}", bus.events.statistics());
    bus.close().await;
}

fn payload(bytes: usize, n: u64) -> Vec<u8> {
    // Half of it repeats, as labels do.
    let mut state = n;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|at| if at / 16 % 2 == 0 { b'a' } else { next() }).collect()
}

async fn serial(what: &str, topic: &Topic, bytes: usize) {
    let mut times = Vec::new();
    for n in 0..500 {
        let new = NewRecord::new(now(), payload(bytes, n));
        let start = Instant::now();
        topic.append(Partition(0), new).await.unwrap();
        times.push(start.elapsed());
    }
    show(what, times.split_off(20));
}

async fn round_trip(what: &str, topic: &Topic, bytes: usize) {
    let next = topic.bounds(Partition(0)).await.unwrap().next;
    let mut reader = topic.reader(Partition(0), next);
    let mut times = Vec::new();
    for n in 0..500 {
        let new = NewRecord::new(now(), payload(bytes, n));
        let start = Instant::now();
        drop(topic.append(Partition(0), new));
        reader.next().await.unwrap();
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    show(what, times.split_off(20));
}

async fn first_record(topic: &Topic) {
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        topic.reader(Partition(0), Position(0)).next().await.unwrap();
        times.push(start.elapsed());
    }
    show("a new reader's first record", times);
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        topic.bounds(Partition(0)).await.unwrap();
        times.push(start.elapsed());
    }
    show("bounds", times);
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        topic.position_at(Partition(0), now()).await.unwrap();
        times.push(start.elapsed());
    }
    show("position_at", times);
    let mut times = Vec::new();
    for _ in 0..20 {
        let reader = topic.reader(Partition(0), Position(0));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        drop(reader);
        times.push(start.elapsed());
    }
    show("dropping a reader", times);
}

async fn groups(bus: &bus::Bus) {
    let (mut joins, mut leaves) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let start = Instant::now();
        let mut member = bus.join("analyzers", bus::Share::Events);
        member.next().await.unwrap();
        joins.push(start.elapsed());
        member.commit(Partition(0), Position(1));
        let start = Instant::now();
        member.leave().await;
        leaves.push(start.elapsed());
    }
    show("join a group alone", joins);
    show("leave a group", leaves);
}

async fn throughput(topic: &Topic, records: u64, bytes: usize) {
    let (start, cpu_start) = (Instant::now(), cpu());
    let base = payload(bytes, 1);
    let partitions = u64::from(topic.partitions());
    let mut under_way = std::collections::VecDeque::new();
    for n in 0..records {
        let mut payload = base.clone();
        payload[..8].copy_from_slice(&n.to_le_bytes());
        under_way.push_back(topic.append(Partition((n % partitions) as u32), NewRecord::new(now(), payload)));
        if under_way.len() > 5000 {
            under_way.pop_front().unwrap().await.unwrap();
        }
    }
    for append in under_way {
        append.await.unwrap();
    }
    rate("appended to all partitions", records, bytes, start, cpu_start);

    let (start, cpu_start) = (Instant::now(), cpu());
    let mut readers = Vec::new();
    for partition in (0..topic.partitions()).map(Partition) {
        let end = topic.bounds(partition).await.unwrap().next;
        let mut reader = topic.reader(partition, Position(0));
        readers.push(tokio::spawn(async move {
            let mut read = 0;
            while reader.next_before(end).await.unwrap().is_some() {
                read += 1;
            }
            read
        }));
    }
    let mut read = 0;
    for reader in readers {
        read += reader.await.unwrap();
    }
    rate("read by a reader each", read, bytes, start, cpu_start);
}

fn rate(what: &str, records: u64, bytes: usize, start: Instant, cpu_start: f64) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what:<42} {:8.0} records/s  {:6.1} MB/s  {:4.2} cores",
        records as f64 / seconds,
        records as f64 * bytes as f64 / seconds / 1e6,
        (cpu() - cpu_start) / seconds
    );
}

async fn idle(bus: &bus::Bus) {
    let mut readers = Vec::new();
    for partition in (0..bus.events.partitions()).map(Partition) {
        let next = bus.events.bounds(partition).await.unwrap().next;
        readers.push(bus.events.reader(partition, next));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (start, cpu_start) = (Instant::now(), cpu());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let cores = (cpu() - cpu_start) / start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap().to_owned();
    println!("{} idle readers: {cores:.3} cores, {threads} threads, {resident}", readers.len());
}
