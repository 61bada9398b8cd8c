//! Metric and label names as Prometheus derives them from OpenTelemetry's ("OTLP metric points to Prometheus",
//! compatibility specification): words joined by `_`, the unit spelt out, `_total` for counters.

/// What a name says about its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Counter,
    Gauge,
    /// Histograms, and sums that go up and down.
    Other,
}

/// `http.server.request.duration` in `s` becomes `http_server_request_duration_seconds`.
pub(super) fn metric_name(name: &str, unit: &str, kind: NameKind) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut words: Vec<&str> = name.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    let units = unit_words(unit, kind);
    for unit in &units {
        // "per" belongs to the pair behind it; a unit already in the name is not said twice.
        if *unit == "per" || !words.contains(unit) {
            words.push(unit);
        }
    }
    if words.last() == Some(&"per") {
        words.pop();
    }
    if kind == NameKind::Counter {
        words.retain(|word| *word != "total");
        words.push("total");
    }
    let joined = words.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("_{joined}") } else { joined }
}

fn unit_words(unit: &str, kind: NameKind) -> Vec<&str> {
    let unit = unit.trim();
    // Units in braces annotate: `{request}` says what is counted, not in what.
    if unit.is_empty() || unit.contains(['{', '}']) {
        return Vec::new();
    }
    if unit == "1" {
        return if kind == NameKind::Gauge { vec!["ratio"] } else { Vec::new() };
    }
    let (main, per) = unit.split_once('/').map_or((unit, ""), |(main, per)| (main.trim(), per.trim()));
    let mut words = plain(spelt_out(main));
    let per = plain(spelt_out_per(per));
    if !per.is_empty() {
        words.push("per");
        words.extend(per);
    }
    words
}

fn plain(unit: &str) -> Vec<&str> {
    unit.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// UCUM's symbols, spelt out.
fn spelt_out(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tebibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        "1" => "",
        other => other,
    }
}

fn spelt_out_per(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

/// `http.response.status_code` becomes `http_response_status_code`.
pub(super) fn label_name(attribute: &str) -> String {
    let plain: String =
        attribute.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("key_{plain}");
    }
    // Two leading underscores are Prometheus' own.
    if plain.starts_with("__") { format!("key{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_prometheus_gives() {
        use NameKind::{Counter, Gauge, Other};
        for (name, unit, kind, expected, why) in [
            (
                "http.server.request.duration",
                "s",
                Other,
                "http_server_request_duration_seconds",
                "dots, seconds",
            ),
            (
                "http.server.duration",
                "ms",
                Other,
                "http_server_duration_milliseconds",
                "the older convention",
            ),
            (
                "http.server.active_requests",
                "{request}",
                Other,
                "http_server_active_requests",
                "an annotation",
            ),
            ("orders", "1", Counter, "orders_total", "a counter has no ratio"),
            ("orders.total", "", Counter, "orders_total", "total is not said twice"),
            ("total.orders", "By", Counter, "orders_bytes_total", "total goes last"),
            (
                "process.cpu.utilization",
                "1",
                Gauge,
                "process_cpu_utilization_ratio",
                "a gauge of one is a ratio",
            ),
            ("process.memory.usage", "By", Other, "process_memory_usage_bytes", "bytes"),
            ("request_bytes", "By", Counter, "request_bytes_total", "the unit is not said twice"),
            ("disk.io", "By/s", Gauge, "disk_io_bytes_per_second", "a rate"),
            ("queue", "{message}/s", Gauge, "queue", "an annotated rate is not spelt out"),
            ("2xx.responses", "", Counter, "_2xx_responses_total", "no digit first"),
            ("weird name!", "widgets", Gauge, "weird_name_widgets", "an unknown unit stays as it is"),
            ("größe", "", Gauge, "gr_e", "letters Prometheus has no place for"),
        ] {
            assert_eq!(metric_name(name, unit, kind), expected, "{why}");
        }
    }

    #[test]
    fn label_names_are_valid_whatever_the_attribute() {
        for (attribute, expected) in [
            ("http.response.status_code", "http_response_status_code"),
            ("k8s.pod/name", "k8s_pod_name"),
            ("4xx", "key_4xx"),
            ("__name__", "key__name__"),
            ("_ok", "_ok"),
        ] {
            assert_eq!(label_name(attribute), expected);
        }
    }
}
