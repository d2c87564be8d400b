//! Bodies of requests: read whole before a handler runs, counted while they come, and bounded all together.
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
        let announced = announced.and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut place = self.place_for(announced)?;
        let mut chunks = request.take_body().into_bytes_stream();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            // A chunked body has no length to believe.
            let chunk = chunk.map_err(ReadBodyError::Io)?;
            if place.is_none() {
                place = self.place_for(body.len() + chunk.len())?;
            }
            if body.len() + chunk.len() > self.limit {
                return Err(ReadBodyError::PayloadTooLarge.into());
            }
            body.extend_from_slice(&chunk);
        }
        request.set_body(Body::from_vec(body));
        Ok(place)
    }

    fn place_for(&self, bytes: usize) -> poem::Result<Option<SemaphorePermit<'_>>> {
        if bytes > self.limit {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        if bytes <= SMALL {
            return Ok(None);
        }
        let place = self.large.try_acquire().map_err(|_| Error::Busy { retry_after_secs: RETRY_AFTER_SECS });
        Ok(Some(place.map_err(Failure)?))
    }
}
