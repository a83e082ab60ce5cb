// Who changes the story: random operations over plain HTTP.
import { requestId } from './player.mjs';

const MODELS = [
  null,
  'skald/offline',
  'skald/offline:thinking',
  'skald/offline:cut',
  'skald/offline:blocked',
  'skald/offline:blocked-late',
  'skald/offline:retries-twice',
  'skald/offline:stall',
  'skald/offline:length',
  'skald/offline:auth',
  'skald/offline:rate-limited',
  'skald/offline:long',
];
const NARRATION = ['SCENE', 'TRANSITION', 'RECAP'];
const SCOPES = ['PATH', 'PATH_WITH_SIBLINGS', 'SUBTREE'];
const VOICES = ['FIRST', 'SECOND', 'THIRD'];
const TURN = 'session { id } message { id } reply { id }';

const of = (list, pick) => list[pick % list.length];

/** A reply that can be written on. */
const isCut = ({ status, generation }) =>
  ['STOPPED', 'INTERRUPTED'].includes(status) ||
  (status === 'COMPLETE' && generation?.finishReason === 'LENGTH');

/** Every operation: a function of an actor, what it sees of the tree, and three random numbers. */
export const OPERATIONS = {
  sendMessage: (actor, { story, head }, [where, text]) => ({
    ...actor.request(),
    sessionId: actor.sessionId,
    content: `I look around ${text}.`,
    parentId: where % 3 ? head : of(story, where)?.id,
  }),
  requestReply: (actor, { head }, [who, task]) => ({
    ...actor.request(),
    sessionId: actor.sessionId,
    parentId: head,
    speaker:
      who % 2
        ? { narrator: { task: of(NARRATION, task) } }
        : { characterId: of(actor.player.characters.slice(0, 2), task) },
  }),
  regenerateReply: (actor, { story }, [which, model]) => ({
    ...actor.request(),
    messageId: of(story, which)?.id,
    modelId: of(MODELS, model),
  }),
  stopReply: (_actor, { running }, [which]) => ({ messageId: of(running, which) }),
  editMessage: (actor, { all }, [which, text, how]) => ({
    ...actor.request(),
    messageId: of(all, which)?.id,
    content: `Otherwise, ${text}.`,
    mode: how % 3 ? 'SIBLING' : 'IN_PLACE',
    reply: how % 3 === 2,
  }),
  selectMessage: (_actor, { all }, [which]) => ({ messageId: of(all, which)?.id }),
  deleteMessage: (actor, { all }, [which, whole]) => {
    // Mostly something late, so that a story is left; now and then any root.
    const messageId = (whole % 8 ? of(all.slice(-6), which) : of(all, which))?.id;
    if (messageId) actor.deleted.push(messageId);
    return { messageId };
  },
  restoreMessage: (actor, _tree, [which]) => ({ messageId: of(actor.deleted, which) }),
  updateSession: (actor, _tree, [what, value]) => ({
    id: actor.sessionId,
    ...of(
      [
        { title: `A story of ${value}` },
        { relationship: value % 2 ? `Friends for ${value} years` : null },
        { narrativeVoice: of(VOICES, value) },
        { settings: { storyModelId: of(MODELS, value) } },
        { settings: { style: { atmosphere: `rain ${value}` } } },
        { archived: value % 2 === 0 },
        { tags: [`mood ${value % 5}`, 'sea'] },
      ],
      what,
    ),
  }),
  createSession: (actor, _tree, [title]) => ({
    ...actor.request(),
    characterIds: actor.player.characters.slice(0, 1),
    title: `Another story ${title}`,
  }),
  updateOther: (actor, _tree, [which, what, value]) => ({
    id: of(actor.others, which),
    ...of(
      [
        { title: `Renamed ${value}` },
        { archived: value % 2 === 0 },
        { tags: [value % 3 ? 'Sea' : 'land', `mood ${value % 5}`] },
      ],
      what,
    ),
  }),
  deleteOther: (actor, _tree, [which]) => ({ id: of(actor.others, which) }),
  restoreOther: (actor, _tree, [which]) => ({ id: of(actor.others, which) }),
  deleteSession: (actor) => ({ id: actor.sessionId }),
  restoreSession: (actor) => ({ id: actor.sessionId }),
  forkSession: (actor, { all }, [which, scope]) => ({
    ...actor.request(),
    sessionId: actor.sessionId,
    messageId: of(all, which)?.id,
    scope: of(SCOPES, scope),
  }),
  retryReply: (actor, { failed }, [which]) => ({
    ...actor.request(),
    messageId: of(failed, which),
  }),
  continueReply: (actor, { cut, story }, [which, model]) => ({
    ...actor.request(),
    messageId: (of(cut, which) ?? of(story, which))?.id,
    modelId: of(MODELS, model),
  }),
  impersonate: (actor, { story }, [which, model]) => ({
    ...actor.request(),
    sessionId: actor.sessionId,
    parentId: of(story, which)?.id,
    modelId: of(MODELS, model),
  }),
  hideMessage: (_actor, { all }, [which, how]) => ({
    messageId: of(all, which)?.id,
    hidden: how % 2 === 0,
  }),
  bookmarkMessage: (_actor, { all }, [which, name]) => ({
    messageId: of(all, which)?.id,
    name: name % 3 ? `Mark ${name}` : null,
  }),
  restoreRevision: (actor, { all, edited }, [which, revision]) => {
    const message = of(edited, which) ?? of(all, which);
    return {
      ...actor.request(),
      messageId: message?.id,
      revision: 1 + (revision % Math.max(1, (message?.revision ?? 1) - 1)),
    };
  },
};

const SELECTIONS = {
  sendMessage: TURN,
  requestReply: TURN,
  regenerateReply: TURN,
  editMessage: TURN,
  retryReply: TURN,
  continueReply: TURN,
  impersonate: TURN,
  stopReply: 'reply { id }',
  updateSession: 'session { id }',
  deleteSession: 'session { id }',
  restoreSession: 'session { id }',
  forkSession: 'session { id }',
  createSession: 'session { id }',
  updateOther: 'session { id }',
  deleteOther: 'session { id }',
  restoreOther: 'session { id }',
};

/** The mutations of operations that are called otherwise. */
export const mutationOf = (operation) => operation.replace(/Other$/, 'Session');

export class Actor {
  constructor({ player, sessionId, tally }) {
    Object.assign(this, { player, sessionId, tally, deleted: [], others: [], replies: new Map() });
  }

  request() {
    return { clientRequestId: requestId() };
  }

  /** What there is to act on. */
  async look() {
    const { session } = await this.player.ask(
      `query ($id: ID!) { session(id: $id) { deletedAt head { id } runningReplies { id }
        messages(first: 100) { nodes { id role status revision generation { finishReason } } } } }`,
      { id: this.sessionId },
    );
    const all = session.messages.nodes;
    return {
      all,
      isDeleted: session.deletedAt !== null,
      head: session.head?.id,
      running: session.runningReplies.map((reply) => reply.id),
      story: all.filter((message) => message.role !== 'PLAYER'),
      cut: all.filter(isCut),
      edited: all.filter((message) => message.revision > 1),
      failed: all.filter((message) => message.status === 'FAILED').map((message) => message.id),
    };
  }

  /** Does one thing, if there is something to do it to; what the server refuses is left. */
  async act(operation, picks) {
    const seen = await this.look();
    // Nothing is done in a deleted session: mostly it is brought back at once.
    const isElsewhere = /Other$|createSession/.test(operation);
    if (seen.isDeleted && picks[2] % 4 && !isElsewhere) operation = 'restoreSession';
    if (seen.all.length > 70 && /send|regenerate|edit|request|continue|impersonate/.test(operation)) return;
    const input = OPERATIONS[operation](this, seen, picks);
    if ('messageId' in input && !input.messageId) return this.count(operation, 'nothing');
    if ('id' in input && !input.id) return this.count(operation, 'nothing');
    const selection = SELECTIONS[operation] ?? 'session { id } message { id }';
    const payload = await this.player.mutate(mutationOf(operation), input, selection);
    this.count(operation, payload.errors[0]?.code ?? 'done');
    const isNew = ['createSession', 'forkSession'].includes(operation);
    if (isNew && payload.session) this.others.push(payload.session.id);
    const reply = operation === 'stopReply' ? undefined : payload.reply?.id;
    if (reply) this.replies.set(reply, this.player.ended(reply));
  }

  /** Takes everything off the shelf, so that lists have one page. */
  async clear() {
    for (const id of [this.sessionId, ...this.others]) {
      await this.player.mutate('deleteSession', { id }, 'session { id }');
    }
  }

  count(operation, outcome) {
    this.tally[operation] ??= {};
    this.tally[operation][outcome] = (this.tally[operation][outcome] ?? 0) + 1;
  }

  /** Stops what runs and waits until all of it has ended. */
  async rest() {
    const { running } = await this.look();
    await Promise.all(
      running.map((messageId) => this.player.mutate('stopReply', { messageId }, 'reply { id }')),
    );
    await Promise.all([...this.replies.values()]);
    this.replies.clear();
  }
}
