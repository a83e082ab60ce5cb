import { describe, expect, test } from 'vitest';
import { applyDelta, applyEvent, newDraft, readEvent, sentenceEnd, type Draft } from './draft';
import { ReplyFeed } from './feed';

const part = (text: string, start = 0) => ({ start, text });
const base = { messageId: 'message_1', attempt: 1 };
const delta = (offset: number, text: string, channel = 'CONTENT') => ({
  __typename: 'ReplyDelta',
  ...base,
  channel,
  offset,
  text,
});

function play(events: object[], draft: Draft = newDraft('message_1')): Draft {
  for (const event of events) {
    const read = readEvent(event);
    if (read) [draft] = applyEvent(draft, read);
  }
  return draft;
}

describe('applyDelta', () => {
  test('appends, and replaces what is after the offset', () => {
    expect(applyDelta(part('The door'), 8, ' opens', false)).toEqual(part('The door opens'));
    expect(applyDelta(part('The door opens'), 4, 'lamp', false)).toEqual(part('The lamp'));
    expect(applyDelta(part('The door'), 0, 'The door opens', false)).toEqual(part('The door opens'));
  });

  test('counts UTF-16 code units', () => {
    expect(applyDelta(part('🌊'), 2, '!', false)).toEqual(part('🌊!'));
    expect(applyDelta(part('🌊'), 1, '!', false)).toEqual(part('\ud83c!'));
  });

  test('tells a gap, but lets a subscription begin late', () => {
    expect(applyDelta(part('The'), 8, 'opens', false)).toBeNull();
    expect(applyDelta(part(''), 8, 'opens', true)).toEqual(part('opens', 8));
    expect(applyDelta(part('opens', 8), 13, ' wide', false)).toEqual(part('opens wide', 8));
    expect(applyDelta(part('opens', 8), 10, 'x', false)).toEqual(part('opx', 8));
    expect(applyDelta(part('opens', 8), 0, 'The door', false)).toEqual(part('The door'));
  });
});

describe('a reply', () => {
  test('keeps content and thought apart', () => {
    const draft = play([delta(0, 'Hm.', 'THOUGHT'), delta(0, 'The '), delta(3, ' Yes.', 'THOUGHT'), delta(4, 'door')]);
    expect(draft.content.text).toBe('The door');
    expect(draft.thought.text).toBe('Hm. Yes.');
    expect(draft.stage).toBe('WRITING');
  });

  test('shows its stages and begins anew after a reset', () => {
    const stage = { __typename: 'ReplyStageChanged', ...base, stage: 'RECALLING' };
    expect(play([stage]).stage).toBe('RECALLING');
    const reset = { __typename: 'ReplyReset', messageId: 'message_1', attempt: 2, content: 'The', thought: null };
    const draft = play([delta(0, 'A lamp'), reset, { ...delta(3, ' sea'), attempt: 2 }]);
    expect(draft).toMatchObject({ attempt: 2, content: part('The sea'), thought: part('') });
  });

  test('ends with the text of the message, or keeps what it has', () => {
    const finished = (message: object) => ({ __typename: 'ReplyFinished', ...base, message });
    const whole = play([delta(0, 'The'), finished({ status: 'COMPLETE', content: 'The end.' })]);
    expect(whole).toMatchObject({ status: 'COMPLETE', content: part('The end.') });
    const partial = play([delta(0, 'The'), finished({ status: 'STOPPED' })]);
    expect(partial).toMatchObject({ status: 'STOPPED', content: part('The') });
  });

  test('says why it failed', () => {
    const failure = { code: 'UPSTREAM', message: 'The model is not there.' };
    const failed = { __typename: 'ReplyFailed', ...base, message: { id: 'message_1', generation: { failure } } };
    expect(play([failed])).toMatchObject({ status: 'FAILED', failure: 'The model is not there.' });
  });

  test('is recognised without __typename, and nothing else is', () => {
    const { __typename: _, ...bare } = delta(0, 'The');
    expect(readEvent(bare)?.event.kind).toBe('delta');
    expect(readEvent({ ...base, stage: 'WAITING' })?.event.kind).toBe('stage');
    expect(readEvent({ message: { id: 'message_1', status: 'COMPLETE' } })?.event.kind).toBe('finished');
    expect(readEvent({ __typename: 'MessagesAdded', messages: [] })).toBeNull();
    expect(readEvent({ __typename: 'ReplyDelta', offset: 0, text: 'of nobody' })).toBeNull();
    expect(readEvent(null)).toBeNull();
  });
});

test('the feed tells a gap once, and takes the reply read anew', () => {
  const feed = new ReplyFeed();
  const end = feed.begin();
  expect(feed.take({ reply: delta(0, 'The ') })).toBe('whole');
  expect(feed.take({ reply: delta(9, 'opens') })).toBe('gap');
  expect(feed.current()?.content.text).toBe('The ');
  expect(feed.take({ reply: delta(0, 'The door opens') })).toBe('whole');
  expect(feed.current()?.content.text).toBe('The door opens');
  expect(feed.take({ somethingElse: { id: '1' } })).toBe('none');
  expect(feed.isWatched()).toBe(true);
  end();
  end();
  expect(feed.isWatched()).toBe(false);
});

test('only whole sentences are read aloud', () => {
  expect(sentenceEnd('The door opens. "Come', 0)).toBe(15);
  expect(sentenceEnd('"Come in." He', 0)).toBe(10);
  expect(sentenceEnd('3.14 is no end', 0)).toBe(0);
  expect(sentenceEnd('One. Two. Thr', 4)).toBe(9);
});
