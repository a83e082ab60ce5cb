// The reply as it grows, above GraphiQL, which by itself shows only the newest event of a subscription.
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Socket } from '../graph/socket';
import { sentenceEnd, type Draft } from './draft';
import type { ReplyFeed } from './feed';

const stages: Record<string, string> = {
  RECALLING: 'Recalling what matters',
  WAITING: 'Waiting for the model',
  WRITING: 'Writing',
  RETRYING: 'Trying again',
};

const endings: Record<string, string> = {
  COMPLETE: 'Finished',
  STOPPED: 'Stopped',
  INTERRUPTED: 'Interrupted',
  FAILED: 'Failed',
};

export function ReplyPanel({ feed, socket }: { feed: ReplyFeed; socket: Socket }) {
  const draft = useSyncExternalStore(feed.onChange, feed.current);
  const isWatched = useSyncExternalStore(feed.onChange, feed.isWatched);
  const socketState = useSyncExternalStore(socket.onState, socket.state);
  if (!draft) return null;

  const isRunning = draft.status === null;
  const isReconnecting = isWatched && isRunning && socketState === 'reconnecting';
  const state = isReconnecting
    ? 'Connection lost, coming back'
    : !isRunning
      ? (endings[draft.status ?? ''] ?? draft.status)
      : !isWatched
        ? 'No longer watched; the server writes on'
        : (stages[draft.stage ?? ''] ?? draft.stage ?? 'Reading');

  return (
    <section
      className="skald-reply"
      aria-label="The reply"
      data-testid="reply"
      data-message-id={draft.messageId}
      data-state={draft.status ?? draft.stage ?? ''}
    >
      <div className="skald-reply-head">
        <span className="skald-stage" data-running={isRunning && isWatched} role="status">
          {state}
        </span>
        {draft.attempt > 1 && <span className="skald-dim">attempt {draft.attempt}</span>}
        <button type="button" className="skald-link" onClick={() => feed.hide()}>
          Hide
        </button>
      </div>
      <ReplyText draft={draft} isRunning={isRunning && isWatched} />
      <SpokenReply key={draft.messageId} draft={draft} />
    </section>
  );
}

function ReplyText({ draft, isRunning }: { draft: Draft; isRunning: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    // Follows the text, unless the reader has scrolled up.
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [draft]);

  return (
    <div
      ref={box}
      className="skald-reply-text"
      tabIndex={0}
      onScroll={({ currentTarget: at }) => {
        isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
      }}
    >
      {draft.thought.text && (
        <details className="skald-thought">
          <summary>Thought</summary>
          <p>{draft.thought.text}</p>
        </details>
      )}
      {draft.content.start > 0 && <span className="skald-dim">… </span>}
      <span data-testid="reply-text">{draft.content.text}</span>
      {isRunning && <span className="skald-caret" aria-hidden="true" />}
      {draft.failure && <p className="skald-problem">{draft.failure}</p>}
    </div>
  );
}

/**
 * The same text for screen readers. A live region that changes with every few letters is unbearable to listen to, so
 * whole sentences are added to this one as they are finished.
 */
function SpokenReply({ draft }: { draft: Draft }) {
  const [spoken, setSpoken] = useState<string[]>([]);
  const spokenUntil = useRef(0);
  useEffect(() => {
    const { text } = draft.content;
    const from = Math.min(spokenUntil.current, text.length);
    const end = draft.status === null ? sentenceEnd(text, from) : text.length;
    spokenUntil.current = end;
    const sentences = text.slice(from, end).trim();
    if (sentences) setSpoken((before) => [...before, sentences]);
  }, [draft]);

  return (
    <div className="skald-visually-hidden" aria-live="polite" aria-relevant="additions">
      {spoken.map((sentences, index) => (
        <p key={index}>{sentences}</p>
      ))}
    </div>
  );
}
