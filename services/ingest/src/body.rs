//! Bodies read with a cap: on the declared length before anything is read, on what arrives, and on what comes out
//! of a compression; all bodies together within one budget.

use std::{io::Read as _, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, problem::Problem};

/// Decompressed bytes are paid for in steps of this size, so that a small body does not pay for a large one.
const STEP_BYTES: usize = 1 << 20;

/// Bodies held at once, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: Arc<Semaphore>,
    total: usize,
}

impl Budget {
    pub(crate) fn of_bytes(total: usize) -> Self {
        let total = total.min(Semaphore::MAX_PERMITS);
        Self { left: Arc::new(Semaphore::new(total)), total }
    }

    /// Bytes taken at this moment.
    pub(crate) fn taken(&self) -> usize {
        self.total.saturating_sub(self.left.available_permits())
    }

    /// As [`Self::take`], for what a body takes once it is decoded; more than the whole budget is refused for good.
    pub(crate) fn take_decoded(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        if bytes > self.total {
            return Err(Problem::too_large("bytes of the decoded body", bytes, self.total));
        }
        self.take(bytes)
    }

    /// Takes `bytes` until the permit is dropped. Never waits: a queue of bodies would be held in memory too.
    pub(crate) fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let overload = || Problem::come_back("too many bytes in flight; come back in a moment");
        let bytes = u32::try_from(bytes).map_err(|_| overload())?;
        Arc::clone(&self.left).try_acquire_many_owned(bytes).map_err(|_| overload())
    }
}

/// A body, and its place in the budget for as long as it is held.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Taken {
    /// Also holds `permit`.
    pub(crate) fn holding(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permits.push(permit);
        self
    }
}

/// Reads a body of at most `bytes_max`, as it comes over the wire.
pub(crate) async fn read(
    budget: &Budget,
    limits: &Limits,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Taken, Problem> {
    let bytes_max = bytes_max.min(limits.body_bytes_max);
    let declared = declared_length(headers);
    if let Some(declared) = declared.filter(|declared| *declared > bytes_max as u64) {
        return Err(Problem::too_large("bytes of the body", declared, bytes_max));
    }
    tokio::time::timeout(limits.body_time_max, collect(budget, body, bytes_max)).await.map_err(|_| {
        let seconds = limits.body_time_max.as_secs();
        Problem::come_back(format!("the body did not arrive within {seconds} s"))
    })?
}

/// Pays for what has arrived, not for what was announced: a sender that announces megabytes and sends nothing holds
/// no place that others need.
async fn collect(budget: &Budget, body: Body, bytes_max: usize) -> Result<Taken, Problem> {
    let mut body = Limited::new(body, bytes_max);
    let (mut pieces, mut permits) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Problem::too_large("bytes of the body", "what arrived", bytes_max),
            None => Problem::bad_request("the body ended before its end"),
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        permits.push(budget.take(piece.len())?);
        pieces.push(piece);
    }
    Ok(Taken { bytes: joined(pieces), permits })
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        0 => Bytes::new(),
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// As [`read`], and takes gzip off; the result is at most `plain_max` bytes.
pub(crate) async fn read_plain(
    budget: &Budget,
    limits: &Limits,
    headers: &HeaderMap,
    body: Body,
    plain_max: usize,
) -> Result<Taken, Problem> {
    let is_gzip = is_gzip(headers)?;
    let taken = read(budget, limits, headers, body, plain_max).await?;
    if !is_gzip {
        return Ok(taken);
    }
    let budget = budget.clone();
    offload(taken.bytes.len(), move || unpacked(&taken.bytes, &budget, plain_max)).await?
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = encodings.next().map_or(&b"identity"[..], |value| value.as_bytes().trim_ascii());
    let fault = || Problem::unsupported("Content-Encoding must be gzip or identity");
    if encodings.next().is_some() {
        return Err(fault());
    }
    match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => Ok(false),
        b"gzip" | b"x-gzip" => Ok(true),
        _ => Err(fault()),
    }
}

fn unpacked(packed: &[u8], budget: &Budget, plain_max: usize) -> Result<Taken, Problem> {
    let mut reader = flate2::read::MultiGzDecoder::new(packed);
    let mut plain = Vec::new();
    let mut permits = Vec::new();
    loop {
        permits.push(budget.take(STEP_BYTES)?);
        let room = STEP_BYTES.min(plain_max - plain.len() + 1);
        let read = reader
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut plain)
            .map_err(|error| Problem::bad_request(format!("the body is no gzip: {error}")))?;
        if plain.len() > plain_max {
            return Err(Problem::too_large("decompressed bytes", "what came out", plain_max));
        }
        if read < room {
            return Ok(Taken { bytes: plain.into(), permits });
        }
    }
}

/// From here on decoding takes about a millisecond, and other requests of the thread should not wait for it.
const OFFLOAD_BYTES: usize = 128 << 10;

/// Runs `work` on a body of `bytes`: here if that is quick, beside the runtime's threads if not.
pub(crate) async fn offload<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes < OFFLOAD_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "decoding a body did not finish");
        Problem::come_back("decoding did not finish")
    })
}
