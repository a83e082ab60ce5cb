//! How much one call may write: a model that never ends must not fill the memory.

use futures_util::StreamExt;

use super::{Chunk, ChunkStream, FinishReason, LlmError, LlmErrorKind};

/// The most that one call writes, text and thoughts together, in bytes of UTF-8.
pub const MAX_WRITTEN: usize = 1024 * 1024;

/// The same chunks until there is too much of them; then the reply ends, as it does at a
/// limit of tokens, and the call is cancelled.
pub fn within_bounds(mut chunks: ChunkStream) -> ChunkStream {
    async_stream::stream! {
        let (mut left, mut wrote, mut usage) = (MAX_WRITTEN, false, None);
        while let Some(item) = chunks.next().await {
            let (text, whole) = match &item {
                Ok(Chunk::Content(text)) => {
                    wrote = true;
                    (text, Chunk::Content as fn(String) -> Chunk)
                }
                Ok(Chunk::Thought(text)) => (text, Chunk::Thought as fn(String) -> Chunk),
                Ok(Chunk::Usage(so_far)) => {
                    usage = Some(*so_far);
                    yield item;
                    continue;
                }
                Ok(Chunk::Finished { .. }) | Err(_) => {
                    yield item;
                    continue;
                }
            };
            if text.len() <= left {
                left -= text.len();
                yield item;
                continue;
            }
            let kept = text.get(..text.floor_char_boundary(left)).unwrap_or_default();
            if !kept.is_empty() {
                yield Ok(whole(kept.to_owned()));
            }
            let reason = FinishReason::Length;
            yield if wrote { Ok(Chunk::Finished { reason, usage }) } else { Err(only_thought()) };
            return;
        }
    }
    .boxed()
}

fn only_thought() -> LlmError {
    LlmError::new(LlmErrorKind::Empty).detail("the model thought without end")
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn bounded(chunks: Vec<Chunk>) -> Vec<Result<Chunk, LlmError>> {
        within_bounds(stream::iter(chunks.into_iter().map(Ok)).boxed()).collect().await
    }

    #[tokio::test]
    async fn a_reply_without_end_is_cut_between_letters() {
        let much = "я".repeat(MAX_WRITTEN / 2);
        let chunks = vec![
            Chunk::Thought("a".into()),
            Chunk::Content(much),
            Chunk::Content("never heard".into()),
        ];
        let heard = bounded(chunks).await;
        let [Ok(Chunk::Thought(_)), Ok(Chunk::Content(text)), Ok(end)] = heard.as_slice() else {
            panic!("{} items", heard.len());
        };
        assert_eq!(text.len(), MAX_WRITTEN - 2);
        assert_eq!(*end, Chunk::Finished { reason: FinishReason::Length, usage: None });
    }

    #[tokio::test]
    async fn thoughts_alone_are_no_reply() {
        let heard = bounded(vec![Chunk::Thought("a".repeat(MAX_WRITTEN + 1))]).await;
        let error = heard.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.kind, LlmErrorKind::Empty);
    }

    #[tokio::test]
    async fn what_fits_is_as_it_was() {
        let end = Chunk::Finished { reason: FinishReason::Stop, usage: None };
        let chunks = vec![Chunk::Content("a".repeat(MAX_WRITTEN)), end];
        let heard = bounded(chunks.clone()).await;
        assert!(heard.into_iter().map(Result::unwrap).eq(chunks));
    }
}
