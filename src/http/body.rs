//! Bodies of requests: read whole before a handler runs, counted while they come, large ones bounded all together.
use std::mem;

use bytes::Bytes;
use futures_util::StreamExt;
use poem::error::ReadBodyError;
use poem::http::header::CONTENT_LENGTH;
use poem::{Body, Request};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::envelope::Failure;
use crate::base::Error;

/// What a request of nearly any operation keeps below, in bytes.
const SMALL: usize = 16 * 1024;
/// How many larger ones are in memory at the same time, so that all that is sent slowly does not fill it.
const LARGE_AT_ONCE: usize = 32;
const RETRY_AFTER_SECS: u64 = 5;

/// What is taken of bodies.
pub struct Bodies {
    limit: usize,
    large: Semaphore,
}

impl Bodies {
    /// `limit`: bytes of one body.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, large: Semaphore::new(LARGE_AT_ONCE) }
    }

    /// Reads the body of a request into memory.
    ///
    /// # Errors
    /// `ReadBodyError::PayloadTooLarge` beyond the limit, at once if it was announced; `Error::Busy` when too many
    /// large ones are being read or worked on.
    ///
    /// # Returns
    /// The place of a large one, to be kept as long as the body.
    pub async fn read(&self, request: &mut Request) -> poem::Result<Option<SemaphorePermit<'_>>> {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let announced = announced.and_then(|length| length.parse().ok()).unwrap_or(0_usize);
        if announced > self.limit {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        let mut place = None;
        let mut chunks = request.take_body().into_bytes_stream();
        let mut first = Bytes::new();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            // A chunked body has no length to believe.
            let chunk = chunk.map_err(ReadBodyError::Io)?;
            let bytes = first.len() + body.len() + chunk.len();
            if bytes > self.limit {
                return Err(ReadBodyError::PayloadTooLarge.into());
            }
            // What was only announced takes no place from others.
            if bytes > SMALL && place.is_none() {
                place = Some(self.take_place()?);
            }
            if first.is_empty() && body.is_empty() {
                first = chunk;
                continue;
            }
            body.extend_from_slice(&mem::take(&mut first));
            body.extend_from_slice(&chunk);
        }
        // Nearly every body comes in one piece, which is not copied.
        request.set_body(if body.is_empty() { Body::from_bytes(first) } else { Body::from_vec(body) });
        Ok(place)
    }

    fn take_place(&self) -> poem::Result<SemaphorePermit<'_>> {
        let busy = |_| Failure(Error::Busy { retry_after_secs: RETRY_AFTER_SECS });
        Ok(self.large.try_acquire().map_err(busy)?)
    }
}
