//! Customers: a steady stream of requests to each service.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::shop::Shop;

/// Between two requests to one service: 50 a second.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends until told to stop; what the services answer is for them to count.
pub(super) fn start(shop: &Arc<Shop>, stop: CancellationToken) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    for service in &shop.services {
        let (http, stop, url) = (http.clone(), stop.clone(), format!("http://{}/", service.address));
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(PAUSE);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = interval.tick() => {}
                }
                let request = http.get(&url).send();
                tokio::spawn(async move { drop(request.await) });
            }
        });
    }
    Ok(())
}
