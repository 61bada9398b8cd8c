//! The end of what a program printed.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much of each of a program's outputs is kept: the end, where the error stands.
pub(super) const MAX_OUTPUT_BYTES: usize = 16 * 1024;

/// Reads to the end and leaves the last [`MAX_OUTPUT_BYTES`] in `tail`; the rest is read and dropped, so that the
/// program never waits for us. What came in stays in `tail` when this is cut off.
pub(super) async fn read_tail(mut output: impl AsyncRead + Unpin, tail: &mut Vec<u8>) {
    let mut chunk = vec![0; MAX_OUTPUT_BYTES];
    while let Ok(length @ 1..) = output.read(&mut chunk).await {
        tail.extend_from_slice(&chunk[..length]);
        let surplus = tail.len().saturating_sub(MAX_OUTPUT_BYTES);
        tail.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_kept_and_the_rest_dropped() {
        let text: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let mut tail = Vec::new();
        read_tail(text.as_slice(), &mut tail).await;
        assert_eq!(tail, text[text.len() - MAX_OUTPUT_BYTES..]);
    }
}
