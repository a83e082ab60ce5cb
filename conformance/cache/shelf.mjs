// The lists of sessions on a device of its own: painted once, then fed by `libraryEvents`.
import { bare } from './compare.mjs';
import { Follower } from './follower.mjs';

const LIVE_ONLY = ['LibraryCaughtUp', 'LibraryResyncNeeded'];
const newest = (field) => (session) => `${session[field]} ${session.id}`;

/** What stands on each list, and in which order, the greatest first. */
const LISTS = {
  active: { holds: ({ archivedAt }) => !archivedAt, order: newest('lastActivityAt') },
  archived: { holds: ({ archivedAt }) => archivedAt, order: newest('lastActivityAt') },
  ofTheSea: {
    // The server knows a tag in any case, too.
    holds: ({ archivedAt, tags }) =>
      !archivedAt && tags.some((tag) => tag.toLowerCase() === 'sea'),
    order: newest('createdAt'),
  },
};

export class Shelf extends Follower {
  constructor(name, world) {
    super(name, world);
    this.field = 'libraryEvents';
  }

  /** First it listens, then it reads, and nothing falls in between. */
  async paint() {
    this.connect();
    while (!this.caughtUp) {
      if (this.failure) throw new Error(this.failure);
      await this.event();
    }
    await this.client.query({ query: this.documents.shelf, fetchPolicy: 'network-only' });
  }

  wish() {
    return { query: this.documents.library, variables: { after: this.cursor } };
  }

  note(event) {
    this.cursor = event.cursor;
  }

  check({ __typename: kind, cursor }) {
    if (LIVE_ONLY.includes(kind) || this.cursor === undefined) return;
    if (Number(cursor) <= Number(this.cursor)) throw new Error(`came after ${this.cursor}`);
  }

  take(event) {
    const kind = event.__typename;
    this.seen[kind] = (this.seen[kind] ?? 0) + 1;
    this.log.push(`${event.cursor} ${kind} ${event.node?.id ?? event.id ?? ''}`);
    this.note(event);
    if (kind === 'LibraryCaughtUp') this.caughtUp = true;
    if (kind === 'LibraryResyncNeeded') throw new Error('nothing here is that long ago');
    if (event.node?.__typename === 'Session') this.put(event.node);
    if (kind === 'LibraryNodeRemoved') this.put({ id: event.id });
    if (this.dropAfter !== undefined && --this.dropAfter <= 0) this.drop();
  }

  /** Takes a session from where it stood and puts it where it belongs, if anywhere. */
  put(session) {
    this.cache.updateQuery({ query: this.documents.shelf }, (lists) => {
      const changed = Object.entries(LISTS).map(([name, { holds, order }]) => {
        let nodes = lists[name].nodes.filter(({ id }) => id !== session.id);
        if (session.createdAt && holds(session)) nodes = [...nodes, session];
        nodes.sort((a, b) => (order(a) > order(b) ? -1 : 1));
        return [name, { ...lists[name], totalCount: nodes.length, nodes }];
      });
      return Object.fromEntries(changed);
    });
  }

  view() {
    return bare(this.cache.readQuery({ query: this.documents.shelf }));
  }
}
