//! Micro-benchmarks of the pure crates: what a sample, a scrape and a tick cost, and how exact quantiles are.
//!
//! A plain program: `make bench` builds it optimised and runs it. It prints figures and asserts none, since
//! times on a shared machine vary; compare ratios of one run. Whole-system figures are `load-tests`' part.
#![expect(clippy::print_stdout, reason = "figures on the terminal are what this program is for")]

mod accuracy;
mod chair;
mod clock;
mod decoding;
mod projection;
mod random;
mod samples;
mod shop;
mod slicing;
mod snapshots;
mod ticks;

use shop::Shop;

/// Services of the two sizes measured: 102 series an instance, 5 instances a service.
const SIZES: [(&str, usize); 2] = [("10 k", 20), ("100 k", 200)];

fn main() {
    if cfg!(debug_assertions) {
        println!("Not an optimised build: the figures say nothing. Run `make bench`.\n");
    }
    for (size, services) in SIZES {
        let mut shop = Shop::new(services);
        let cost = samples::measure(&mut shop);
        println!("{size} series ({} in {} targets, 12 labels each)", shop.series(), shop.targets());
        println!(
            "  store, per sample             {:8.1} ns CPU, {:.1} ns elapsed",
            cost.warm.cpu_ns, cost.warm.elapsed_ns
        );
        println!("  store, first sight            {:8.1} ns CPU", cost.first.cpu_ns);
        let settled = samples::measure_settling(&mut shop);
        println!(
            "  store, per settled scrape     {:8.1} ns CPU of {} samples",
            settled.cpu_ns,
            shop.series() / shop.targets()
        );
        match decoding::measure(&mut shop) {
            Ok(decoded) => println!("  remote write 1.0 and store    {:8.1} ns CPU a sample", decoded.cpu_ns),
            Err(error) => println!("  remote write 1.0: {error}"),
        }
        match slicing::measure(&mut shop) {
            Ok(costs) => {
                println!("  placement, per series         {:8.1} ns CPU", costs.placed.cpu_ns);
                println!("  placement, first sight        {:8.1} ns CPU", costs.placed_first.cpu_ns);
                println!(
                    "  slicing a request, per series {:8.1} ns CPU into {:.1} slices of 24, {:.1} bytes; back {:.1} ns",
                    costs.cut.cpu_ns, costs.slices, costs.bytes, costs.read.cpu_ns
                );
            }
            Err(error) => println!("  slicing: {error}"),
        }
        println!("  store, per idle tick          {:8.1} ns elapsed", ticks::measure(&mut shop));
        match snapshots::measure(&mut shop) {
            Ok(cost) => print_snapshot(&cost, shop.series()),
            Err(error) => println!("  snapshot: {error}"),
        }
    }
    match projection::measure() {
        Ok(cost) => println!(
            "what people query, {} records, {:.1} MB\n  rebuilt from the log          {:8.1} ns CPU a record\n  a release by its id           {:8.1} ns",
            cost.records,
            cost.bytes as f64 / 1e6,
            cost.rebuild.cpu_ns,
            cost.look.elapsed_ns
        ),
        Err(error) => println!("what people query: {error}"),
    }
    match chair::measure() {
        Ok(cost) => println!(
            "the arbiter, {} records, {} of them with commands, {:.1} MB\n  rebuilt from the log          {:8.1} ns CPU a record\n  checkpoint, size              {:8.1} MB\n  checkpoint, to take           {:8.1} ms elapsed\n  checkpoint, to encode         {:8.1} ms elapsed\n  checkpoint, to restore        {:8.1} ms elapsed",
            cost.records,
            cost.commands,
            cost.bytes as f64 / 1e6,
            cost.rebuild.cpu_ns,
            cost.checkpoint_bytes as f64 / 1e6,
            cost.take.elapsed_ns / 1e6,
            cost.encode.elapsed_ns / 1e6,
            cost.restore.elapsed_ns / 1e6
        ),
        Err(error) => println!("the arbiter: {error}"),
    }
    println!("\np95 of request events against the exact value, {} each", accuracy::EVENTS);
    for row in accuracy::measure() {
        println!(
            "  {:14} exact {:12.6} s  measured {:12.6} s  off by {:7.4} %",
            row.distribution,
            row.exact_s,
            row.measured_s,
            100.0 * row.error
        );
    }
}

fn print_snapshot(cost: &snapshots::SnapshotCost, series: usize) {
    let ms = |elapsed_ns: f64| elapsed_ns / 1e6;
    println!("  snapshot, size                {:8.1} bytes a series", cost.bytes as f64 / series as f64);
    println!("  snapshot, to take             {:8.1} ms elapsed", ms(cost.take.elapsed_ns));
    println!("  snapshot, to restore          {:8.1} ms elapsed", ms(cost.restore.elapsed_ns));
}
