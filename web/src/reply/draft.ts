// Puts a reply together from its events. Pure.

export type Channel = 'CONTENT' | 'THOUGHT';

/** A text that may begin late: a subscription can ask for what comes after an offset. */
export interface Part {
  start: number;
  text: string;
}

export interface Draft {
  messageId: string;
  attempt: number;
  stage: string | null;
  /** The message's status, once the reply has ended. */
  status: string | null;
  failure: string | null;
  content: Part;
  thought: Part;
}

export type Effect =
  /** Nothing about a reply. */
  | 'none'
  /** Taken over. */
  | 'whole'
  /** A delta begins after the end of what is here: text is missing, read the reply anew. */
  | 'gap';

const empty: Part = { start: 0, text: '' };

export function newDraft(messageId: string): Draft {
  return { messageId, attempt: 1, stage: null, status: null, failure: null, content: empty, thought: empty };
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export type ReplyEvent =
  | { kind: 'delta'; channel: Channel; offset: number; text: string }
  | { kind: 'stage'; stage: string }
  | { kind: 'reset'; content: string; thought: string }
  | { kind: 'finished'; status: string | null; content: string | null; thought: string | null }
  | { kind: 'failed'; failure: string | null };

export interface ReadEvent {
  messageId: string;
  attempt: number | null;
  event: ReplyEvent;
}

/**
 * Reads one event of a subscription, as far as the user's selection tells it. `__typename` is the surest sign; without
 * it, the fields that only one type has are.
 */
export function readEvent(value: unknown): ReadEvent | null {
  if (!isFields(value)) return null;
  const message = isFields(value['message']) ? value['message'] : {};
  const messageId = textOf(value['messageId']) ?? textOf(message['id']);
  const event = readKind(value, message);
  if (!messageId || !event) return null;
  return { messageId, attempt: typeof value['attempt'] === 'number' ? value['attempt'] : null, event };
}

function readKind(value: Fields, message: Fields): ReplyEvent | null {
  const type = textOf(value['__typename']);
  const { offset, text, stage } = value;
  if (typeof offset === 'number' && typeof text === 'string' && (type ?? 'ReplyDelta') === 'ReplyDelta') {
    return { kind: 'delta', channel: value['channel'] === 'THOUGHT' ? 'THOUGHT' : 'CONTENT', offset, text };
  }
  if (typeof stage === 'string' && (type ?? 'ReplyStageChanged') === 'ReplyStageChanged') {
    return { kind: 'stage', stage };
  }
  if (type === 'ReplyReset' || (type === null && typeof value['content'] === 'string')) {
    return { kind: 'reset', content: textOf(value['content']) ?? '', thought: textOf(value['thought']) ?? '' };
  }
  const generation = isFields(message['generation']) ? message['generation'] : {};
  const failure = isFields(generation['failure']) ? generation['failure'] : null;
  if (type === 'ReplyFailed' || (type === null && failure)) {
    return { kind: 'failed', failure: failure && (textOf(failure['message']) ?? textOf(failure['code'])) };
  }
  if (type === 'ReplyFinished' || (type === null && isEnd(message['status']))) {
    return {
      kind: 'finished',
      status: textOf(message['status']),
      content: textOf(message['content']),
      thought: textOf(message['thought']),
    };
  }
  return null;
}

function isEnd(status: unknown): boolean {
  return status === 'COMPLETE' || status === 'STOPPED' || status === 'INTERRUPTED';
}

/** `isFirst`: nothing of this channel has come in this subscription yet, so it may begin anywhere. */
export function applyEvent(draft: Draft, { attempt, event }: ReadEvent, isFirst = false): [Draft, Effect] {
  const next: Draft = { ...draft, attempt: attempt ?? draft.attempt };
  switch (event.kind) {
    case 'delta': {
      const key = event.channel === 'THOUGHT' ? 'thought' : 'content';
      const part = applyDelta(next[key], event.offset, event.text, isFirst);
      if (!part) return [draft, 'gap'];
      return [{ ...next, [key]: part, stage: 'WRITING', status: null, failure: null }, 'whole'];
    }
    case 'stage':
      return [{ ...next, stage: event.stage, status: null, failure: null }, 'whole'];
    case 'reset':
      return [
        {
          ...next,
          content: { start: 0, text: event.content },
          thought: { start: 0, text: event.thought },
          status: null,
          failure: null,
        },
        'whole',
      ];
    case 'finished':
      return [
        {
          ...next,
          stage: null,
          status: event.status ?? 'COMPLETE',
          failure: null,
          content: event.content === null ? next.content : { start: 0, text: event.content },
          thought: event.thought === null ? next.thought : { start: 0, text: event.thought },
        },
        'whole',
      ];
    case 'failed':
      return [{ ...next, stage: null, status: 'FAILED', failure: event.failure }, 'whole'];
  }
}

/**
 * The rule of the API: keep what is before the offset, then put the new text. Offsets count UTF-16 code units, as
 * JavaScript's strings do. Null when text is missing in between.
 */
export function applyDelta(part: Part, offset: number, text: string, isFirst: boolean): Part | null {
  const end = part.start + part.text.length;
  if (offset > end) return isFirst ? { start: offset, text } : null;
  if (offset < part.start) return { start: offset, text };
  return { start: part.start, text: part.text.slice(0, offset - part.start) + text };
}

/** Where the last whole sentence ends at or after `from`; `from` if there is none. A screen reader gets whole ones. */
export function sentenceEnd(text: string, from: number): number {
  let end = from;
  for (const match of text.slice(from).matchAll(/[.!?…]["'”’»)]*(?=\s)|\n+/gu)) {
    end = from + match.index + match[0].length;
  }
  return end;
}
