use crate::{Shape, measure::Figures};

/// Reads one column's figure.
type Column = (&'static str, fn(&Figures) -> f64);

const COLUMNS: [Column; 7] = [
    ("CPU us/record", |figures| figures.cpu_us_per_record),
    ("p50 ms", |figures| figures.p50_ms),
    ("p99 ms", |figures| figures.p99_ms),
    ("MiB/s", |figures| figures.mib_per_second),
    ("written/byte", |figures| figures.written_per_byte),
    ("until closed", |figures| figures.lifetime_written_per_byte),
    ("read s/GB", |figures| figures.read_seconds_per_gb),
];

/// `figures[shape][store][round]`, in Markdown.
pub(crate) fn print(shapes: &[Shape], stores: &[&str], figures: &[Vec<Vec<Figures>>]) {
    let headings: Vec<_> = COLUMNS.iter().map(|(heading, _)| *heading).collect();
    println!("| a commit | store | {} |", headings.join(" | "));
    println!("|---|---|{}", "---:|".repeat(COLUMNS.len()));
    for (shape, of_shape) in shapes.iter().zip(figures) {
        for (store, rounds) in stores.iter().zip(of_shape) {
            let cells: Vec<_> = COLUMNS.iter().map(|(_, read)| shown(median(rounds, *read))).collect();
            println!("| {} x {} B | {store} | {} |", shape.records, shape.record_bytes, cells.join(" | "));
        }
    }
}

fn median(rounds: &[Figures], read: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(read).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn shown(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
