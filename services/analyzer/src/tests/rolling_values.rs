//! Rolling values as the API shows them.

use std::time::Duration;

use model::values::{ServiceValues, ValuesQuery};

use super::shop::{Shop, at};

fn shop() -> Shop {
    let mut shop =
        Shop::new("rollback_triggers: { error_rate: { threshold: 1%, window: 10m, action: hold } }");
    shop.run(
        "0s  serve checkout 2.4.0 rps=20 slow=1% load=2
         0s  serve checkout 2.4.1 rps=1 errors=20%
         0s  serve cart - rps=20
         300s end",
    );
    shop
}

fn values(shop: &Shop, query: ValuesQuery) -> Vec<ServiceValues> {
    shop.analyzer.values(at(300), &query)
}

#[test]
fn each_version_has_its_requests_bounds_and_quantiles() {
    let found = values(&shop(), ValuesQuery { service: "checkout".into(), ..ValuesQuery::default() });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].window, Duration::from_secs(600), "the longest window of error_rate");
    let [limit] = &found[0].limits[..] else { panic!("one trigger: {found:?}") };
    assert_eq!((limit.trigger.as_str(), limit.condition.as_str()), ("error_rate", "error_rate > 1%"));
    let [old, new] = &found[0].versions[..] else { panic!("two versions: {found:?}") };
    assert_eq!((old.version.as_deref(), new.version.as_deref()), (Some("2.4.0"), Some("2.4.1")));
    assert_eq!((new.requests, new.errors, new.error_rate), (285, 57, Some(0.2)));
    let (low, high) = new.error_rate_bounds.unwrap();
    assert!((0.15..0.17).contains(&low) && (0.24..0.26).contains(&high), "{low} {high}");
    let latency = old.latency.unwrap();
    assert_eq!(latency.count, 5700);
    assert!(latency.p50 <= latency.p90 && latency.p90 <= latency.p99 && latency.p99 <= 2.5, "{latency:?}");
    assert!(old.metrics.contains(&("load".to_owned(), 2.0)), "{:?}", old.metrics);
}

#[test]
fn a_query_names_services_environments_and_versions() {
    let shop = shop();
    let query = |service: &str, environment: Option<&str>, version: Option<&str>| ValuesQuery {
        service: service.into(),
        environment: environment.map(str::to_owned),
        version: version.map(str::to_owned),
        window: None,
    };
    for (query, services, versions, story) in [
        (query("checkout", None, None), 1, 2, "all of a service"),
        (query("checkout", None, Some("2.4.1")), 1, 1, "one version"),
        (query("cart", Some("production"), None), 1, 1, "telemetry without version"),
        (query("cart", Some("staging"), None), 0, 0, "another environment"),
        (query("nobody", None, None), 0, 0, "an unknown service"),
    ] {
        let found = values(&shop, query);
        let shown: usize = found.iter().map(|service| service.versions.len()).sum();
        assert_eq!((found.len(), shown), (services, versions), "{story}");
    }
}
