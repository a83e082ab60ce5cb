// The rules by which events keep a cache true, one for each event; see "Keeping a cache true"
// in docs/api.md. Entities with an id (messages, alternatives, generations, the session) have
// been written into the cache by Apollo Client when a rule is asked; it does the rest.

import { gql } from '@apollo/client';

/** What the cache itself has to know. */
export const typePolicies = {
  Session: {
    fields: {
      path: { keyArgs: ['leaf'] },
      messages: { keyArgs: false },
      outline: { keyArgs: false, merge: true },
      settings: { merge: true },
      usage: { merge: true },
    },
  },
  OutlineNode: { keyFields: ['messageId'] },
  Message: {
    fields: {
      // Where a message stands changes when a sibling goes; the ids of all siblings are one entity.
      position: {
        read(_stored, { readField }) {
          const ids = readField('messageIds', readField('alternatives')) ?? [];
          return ids.indexOf(readField('id'));
        },
      },
    },
  },
};

const LIGHT = gql`fragment Light on OutlineNode { messageId parentId role status }`;
const LIGHT_TEXT = gql`fragment LightText on OutlineNode { messageId parentId role status excerpt }`;
/** The beginning of a text, white space folded. */
const excerpt = (text) => [...text.trim().split(/\s+/u).join(' ')].slice(0, 120).join('');
const messageRef = (id) => ({ __ref: `Message:${id}` });
const idOf = (ref) => ref.__ref.slice('Message:'.length);

export class Rules {
  constructor(cache, sessionId) {
    this.cache = cache;
    this.session = `Session:${sessionId}`;
  }

  read(id, field) {
    let found;
    this.cache.modify({
      id: `Message:${id}`,
      fields: { [field]: (value) => ((found = value), value) },
    });
    return found;
  }

  apply(event) {
    this[event.__typename]?.(event);
    this.outline();
  }

  MessagesAdded({ messages }) {
    this.addToTree(messages);
  }

  MessagesRestored({ messages }) {
    this.addToTree(messages);
  }

  MessagesDeleted({ root }) {
    const gone = new Set([root.id]);
    this.changeTree((refs) =>
      refs.filter((ref) => {
        const isGone = gone.has(idOf(ref)) || gone.has(this.read(idOf(ref), 'parentId'));
        if (isGone) gone.add(idOf(ref));
        return !isGone;
      }),
    );
    // Whatever led into it leads to the message above it.
    for (const id of this.tree()) {
      const leaf = this.read(id, 'returnsTo');
      if (leaf && gone.has(idOf(leaf))) this.leads(id, root.parentId);
    }
  }

  HeadMoved({ head, fork, branch }) {
    // Everything on the way to the head leads there.
    for (let id = head?.id; id; id = this.read(id, 'parentId')) this.leads(id, head.id);
    this.cache.modify({
      id: this.session,
      fields: {
        head: () => (head ? messageRef(head.id) : null),
        path: (path) => {
          const ids = this.extended(this.joined(path.nodes.map(idOf), fork, branch));
          const hasPreviousPage = ids.length > 0 && this.read(ids[0], 'parentId') != null;
          const pageInfo = { ...path.pageInfo, hasPreviousPage };
          return { ...path, nodes: ids.map(messageRef), pageInfo };
        },
      },
    });
  }

  /** The old path up to the fork, and the branch; the branch alone if it was cut or nothing joins. */
  joined(path, fork, branch) {
    const ids = branch.map((message) => message.id);
    if (!fork || (branch.length && branch[0].parentId !== fork.id)) return ids;
    const at = path.indexOf(fork.id);
    return [...(at < 0 ? [fork.id] : path.slice(0, at + 1)), ...ids];
  }

  /** With what the cache holds above: a path is the way up by `parentId`, which never changes. */
  extended(ids) {
    const path = [...ids];
    while (path.length) {
      const parent = this.read(path[0], 'parentId');
      if (parent == null || this.read(parent, 'content') === undefined) break;
      path.unshift(parent);
    }
    return path.slice(-40);
  }

  ReplyDelta({ messageId, channel, offset, text }) {
    const grow = (old) => {
      const before = old ?? '';
      if (offset > before.length) throw new Error(`a gap: ${offset} after ${before.length}`);
      return before.slice(0, offset) + text;
    };
    const isThought = channel === 'THOUGHT';
    this.change(
      messageId,
      isThought
        ? { thought: grow, hasThought: () => true }
        : { content: grow, status: () => 'WRITING' },
    );
  }

  ReplyReset({ messageId, content, thought }) {
    this.change(messageId, {
      content: () => content,
      thought: () => thought,
      hasThought: () => thought !== null,
      status: () => (content ? 'WRITING' : 'PENDING'),
    });
  }

  ReplyStageChanged({ messageId, attempt, stage, failure }) {
    // Of a message that is not on screen the tree alone knows; `HeadMoved` will bring it whole.
    const id = this.read(messageId, 'generation')?.__ref;
    if (!id) return;
    let before;
    this.cache.modify({ id, fields: { attempt: (value) => (before = value) } });
    // The text of another attempt is void; this one's comes, or has not begun.
    if (before !== attempt) this.ReplyReset({ messageId, content: '', thought: null });
    this.cache.modify({
      id,
      fields: {
        attempt: () => attempt,
        stage: () => stage,
        failure: (old) => (failure ? { ...failure } : old),
      },
    });
  }

  change(messageId, fields) {
    this.cache.modify({ id: `Message:${messageId}`, fields });
  }

  /** In order of creation, as `Session.messages` is. */
  addToTree(messages) {
    const order = (id) => `${this.read(id, 'createdAt')} ${id}`;
    this.changeTree((refs) => {
      const ids = new Set([...refs.map(idOf), ...messages.map((message) => message.id)]);
      return [...ids].sort((a, b) => (order(a) < order(b) ? -1 : 1)).map(messageRef);
    });
  }

  leads(id, leaf) {
    this.change(id, { returnsTo: () => messageRef(leaf) });
  }

  /** The ids of all messages. */
  tree() {
    let ids = [];
    this.changeTree((refs) => ((ids = refs.map(idOf)), refs));
    return ids;
  }

  /** The outline has what the tree has; of what was on screen, or was told, as it is now. */
  outline() {
    const nodes = this.tree().map((messageId) => {
      const content = this.read(messageId, 'content');
      const data = { __typename: 'OutlineNode', messageId };
      for (const name of ['parentId', 'role', 'status']) data[name] = this.read(messageId, name);
      if (content !== undefined) data.excerpt = excerpt(content);
      const fragment = content === undefined ? LIGHT : LIGHT_TEXT;
      return this.cache.writeFragment({ fragment, data });
    });
    this.cache.modify({
      id: this.session,
      fields: { outline: (outline) => ({ ...outline, nodes }) },
    });
  }

  changeTree(change) {
    this.cache.modify({
      id: this.session,
      fields: { messages: (tree) => ({ ...tree, nodes: change(tree.nodes) }) },
    });
  }
}
