import { describe, expect, test } from 'vitest';
import { applyTextEdits, idEdits, learn, type KnownIds } from './ids';
import { makeTour } from './tour';
import { variablesText } from './storage';

const fill = (operation: string, variables: string, known: KnownIds, requestId?: string) =>
  applyTextEdits(variables, idEdits(operation, variables, known, requestId));

describe('learn', () => {
  test('follows a story from its start to a swipe and back', () => {
    let known: KnownIds = {};
    known = learn(known, { data: { createPersona: { persona: { id: 'p' }, errors: [] } } });
    known = learn(known, { data: { createCharacter: { character: { id: 'c' }, errors: [] } } });
    known = learn(known, { data: { createSession: { session: { id: 's', head: { id: 'm0' } }, errors: [] } } });
    expect(known).toEqual({ personaId: 'p', characterId: 'c', sessionId: 's', headId: 'm0' });

    known = learn(known, {
      data: { sendMessage: { session: { id: 's' }, message: { id: 'm1' }, reply: { id: 'r1' } } },
    });
    expect(known).toMatchObject({ headId: 'r1', replyId: 'r1' });
    known = learn(known, { data: { regenerateReply: { reply: { id: 'r2' } } } });
    expect(known).toMatchObject({ headId: 'r2', replyId: 'r2', otherReplyId: 'r1' });

    const select = (id: string) => ({ data: { selectMessage: { session: { id: 's', head: { id } }, errors: [] } } });
    known = learn(known, select('r1'));
    expect(known).toMatchObject({ headId: 'r1', replyId: 'r1', otherReplyId: 'r2' });
    known = learn(known, select('r2'));
    expect(known).toMatchObject({ headId: 'r2', replyId: 'r2', otherReplyId: 'r1' });

    known = learn(known, { data: { createSession: { session: { id: 's2', head: null } } } });
    expect(known).toEqual({ personaId: 'p', characterId: 'c', sessionId: 's2' });
  });

  test('learns nothing from failures', () => {
    const known: KnownIds = { personaId: 'p' };
    const persona = { id: 'q' };
    expect(learn(known, { data: { createPersona: { persona, errors: [{ code: 'X' }] } } })).toBe(known);
    expect(learn(known, { data: { createPersona: { persona } }, errors: [{ message: 'X' }] })).toBe(known);
    expect(learn(known, { data: null })).toBe(known);
    expect(learn(known, { data: { createPersona: { persona: null } } })).toBe(known);
  });
});

describe('filling in', () => {
  test('replaces the ids and leaves everything else as it was written', () => {
    const written = `{
  // my own story
  "input": { "parentId": null,   "content": "My words, not \\"theirs\\"", "sessionId": "old" },
}`;
    expect(fill('SendMessage', written, { sessionId: 's', headId: 'm' })).toBe(`{
  // my own story
  "input": { "parentId": "m",   "content": "My words, not \\"theirs\\"", "sessionId": "s" },
}`);
  });

  test('adds nothing that somebody took out, and leaves what is no longer JSON alone', () => {
    expect(fill('SendMessage', '{"input":{"content":"x"}}', { sessionId: 's', headId: 'm' })).toBe(
      '{"input":{"content":"x"}}',
    );
    expect(fill('SendMessage', 'not at all', { sessionId: 's' })).toBe('not at all');
    expect(fill('SendMessage', '', { sessionId: 's' })).toBe('');
    expect(fill('SomethingElse', '{"sessionId":"old"}', { sessionId: 's' })).toBe('{"sessionId":"old"}');
  });

  test('puts in a fresh request id', () => {
    expect(fill('CreatePersona', '{"input":{"name":"F","clientRequestId":"1"}}', {}, '2')).toBe(
      '{"input":{"name":"F","clientRequestId":"2"}}',
    );
  });
});

test('every step of the tour is complete once all ids are known', () => {
  const known: Required<KnownIds> = {
    personaId: 'persona_1',
    characterId: 'character_1',
    sessionId: 'session_1',
    headId: 'message_1',
    replyId: 'message_2',
    otherReplyId: 'message_3',
  };
  for (const step of makeTour()) {
    expect(step.query).toMatch(new RegExp(`^(query|mutation|subscription) ${step.name}\\(`, 'm'));
    expect(fill(step.name, variablesText(step), known)).not.toContain('fills this in');
  }
});
