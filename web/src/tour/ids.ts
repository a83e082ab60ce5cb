// Which ids the answers of a story tell, and where the tour's variables want them. Pure.
import { findNodeAtLocation, parseTree, type JSONPath } from 'jsonc-parser';

export interface KnownIds {
  personaId?: string;
  characterId?: string;
  sessionId?: string;
  /** The last message on the path: what the next message answers. */
  headId?: string;
  replyId?: string;
  /** A sibling of the reply: what "select the other one" selects. */
  otherReplyId?: string;
}

type Path = JSONPath;

/** By the name of the operation: which id belongs where in its variables. */
const idPlaces: Record<string, [Path, keyof KnownIds][]> = {
  StartSession: [
    [['input', 'personaId'], 'personaId'],
    [['input', 'characterIds', 0], 'characterId'],
  ],
  SendMessage: [
    [['input', 'sessionId'], 'sessionId'],
    [['input', 'parentId'], 'headId'],
  ],
  WatchReply: [[['messageId'], 'replyId']],
  SwipeReply: [[['input', 'messageId'], 'replyId']],
  SeeAlternatives: [[['messageId'], 'replyId']],
  SelectMessage: [[['input', 'messageId'], 'otherReplyId']],
  ReadPath: [[['sessionId'], 'sessionId']],
  StopReply: [[['input', 'messageId'], 'replyId']],
};

function field(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
}

function idAt(value: unknown, ...path: string[]): string | undefined {
  const id = field(value, ...path);
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** A mutation succeeded when there are no errors, neither of the request nor in a payload. */
export function succeeded(result: unknown): boolean {
  const data = field(result, 'data');
  if (typeof data !== 'object' || data === null) return false;
  const errors = field(result, 'errors');
  if (Array.isArray(errors) && errors.length > 0) return false;
  return Object.values(data).every((payload) => {
    const payloadErrors = field(payload, 'errors');
    return !Array.isArray(payloadErrors) || payloadErrors.length === 0;
  });
}

/** What is known after an answer, given what was known before. The same object if it told nothing. */
export function learn(known: KnownIds, result: unknown): KnownIds {
  if (!succeeded(result)) return known;
  const data = field(result, 'data');
  let next = known;

  const personaId = idAt(data, 'createPersona', 'persona', 'id');
  if (personaId) next = { ...next, personaId };

  const characterId = idAt(data, 'createCharacter', 'character', 'id');
  if (characterId) next = { ...next, characterId };

  const sessionId = idAt(data, 'createSession', 'session', 'id');
  if (sessionId) {
    const { replyId: _reply, otherReplyId: _other, ...rest } = next;
    next = { ...rest, sessionId };
    const headId = idAt(data, 'createSession', 'session', 'head', 'id');
    if (headId) next.headId = headId;
    else delete next.headId;
  }

  const replyId = idAt(data, 'sendMessage', 'reply', 'id');
  if (replyId) {
    // A new turn: the siblings of an older reply are no longer what one wants to switch to.
    const { otherReplyId: _other, ...rest } = next;
    next = { ...rest, replyId, headId: replyId };
    const repliedSessionId = idAt(data, 'sendMessage', 'session', 'id');
    if (repliedSessionId) next.sessionId = repliedSessionId;
  }

  const regeneratedId = idAt(data, 'regenerateReply', 'reply', 'id');
  if (regeneratedId && regeneratedId !== next.replyId) {
    const previous = next.replyId;
    next = { ...next, replyId: regeneratedId, headId: regeneratedId };
    if (previous) next.otherReplyId = previous;
  }

  const headId = idAt(data, 'selectMessage', 'session', 'head', 'id');
  if (headId) {
    next = { ...next, headId };
    // Selecting the other one makes this one the other: running the step again switches back.
    if (headId === known.otherReplyId && known.replyId) {
      next.replyId = known.otherReplyId;
      next.otherReplyId = known.replyId;
    }
  }

  return next;
}

export interface TextEdit {
  offset: number;
  length: number;
  text: string;
}

/**
 * The edits that bring the variables of one tab up to date, in ascending order. They replace single values that are
 * there and nothing else, so whatever somebody wrote around them (other values, comments, spacing) stays.
 */
export function idEdits(operation: string, variables: string, known: KnownIds, requestId?: string): TextEdit[] {
  const wanted: [Path, string | undefined][] = (idPlaces[operation] ?? []).map(([path, name]) => [path, known[name]]);
  if (requestId) wanted.push([['input', 'clientRequestId'], requestId]);

  const tree = parseTree(variables, undefined, { allowTrailingComma: true });
  if (!tree) return [];
  const edits: TextEdit[] = [];
  for (const [path, value] of wanted) {
    const node = value === undefined ? undefined : findNodeAtLocation(tree, path);
    if (!node || (node.type !== 'string' && node.type !== 'null') || node.value === value) continue;
    edits.push({ offset: node.offset, length: node.length, text: JSON.stringify(value) });
  }
  return edits.sort((one, other) => one.offset - other.offset);
}

export function applyTextEdits(text: string, edits: TextEdit[]): string {
  // From the end, so that earlier offsets stay right.
  return edits.reduceRight(
    (result, edit) => result.slice(0, edit.offset) + edit.text + result.slice(edit.offset + edit.length),
    text,
  );
}
