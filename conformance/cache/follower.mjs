// A screen on a device of its own: a normalised cache, painted once and then fed by events.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import { filter } from 'rxjs';
import WebSocket from 'ws';

import { Rules, typePolicies } from './rules.mjs';
import { bare } from './compare.mjs';

// Apollo Client's link asks for it by this name; Node has it from version 22 on.
globalThis.WebSocket ??= WebSocket;

const LIVE_ONLY = ['CaughtUp', 'ResyncNeeded', 'ReplyDelta', 'ReplyStageChanged', 'ReplyReset'];

export class Follower {
  constructor(name, { player, documents, sessionId, channels, window, deaf }) {
    Object.assign(this, { name, player, documents, sessionId, channels, window });
    this.field = 'sessionEvents';
    this.deaf = deaf;
    this.seen = {};
    this.log = [];
    this.waiting = new Set();
    this.ended = new Set();
    this.cache = new InMemoryCache({ typePolicies });
    this.rules = new Rules(this.cache, sessionId);
    this.client = new ApolloClient({ cache: this.cache, link: this.link() });
  }

  link() {
    const isSubscription = ({ query }) =>
      query.definitions.some((definition) => definition.operation === 'subscription');
    const follower = this;
    class Socket extends WebSocket {
      constructor(...parameters) {
        super(...parameters);
        follower.socket = this;
      }
    }
    this.sockets = createClient({
      url: () => this.player.server.socket,
      webSocketImpl: Socket,
      connectionParams: () => this.player.headers(),
      retryAttempts: 0,
    });
    const http = new HttpLink({
      uri: () => this.player.server.url,
      fetch,
      headers: this.player.headers(),
    });
    const hearing = new ApolloLink((operation, forward) =>
      forward(operation).pipe(filter(({ data }) => !this.misses(data?.[this.field]))),
    );
    const socket = hearing.concat(new GraphQLWsLink(this.sockets));
    return ApolloLink.split(isSubscription, socket, http);
  }

  /** For trying the test: a client that knows nothing of one kind of event. */
  misses(event) {
    if (!this.deaf || event?.__typename !== this.deaf) return false;
    this.note(event);
    this.wake();
    return true;
  }

  /** First paint: the screen and the tree. */
  async paint() {
    const { screen, tree } = this.documents;
    const variables = { id: this.sessionId, last: this.window };
    const painted = await this.client.query({
      query: screen,
      variables,
      fetchPolicy: 'network-only',
    });
    this.sequence = painted.data.session.sequence;
    const { data } = await this.client.query({
      query: tree,
      variables: { id: this.sessionId },
      fetchPolicy: 'network-only',
    });
    if (data.session.messages.pageInfo.hasNextPage) throw new Error('the tree has one page here');
  }

  connect() {
    if (this.subscription || this.failure) return;
    this.isWanted = true;
    const events = this.client.subscribe(this.wish());
    this.caughtUp = false;
    const visit = Symbol('visit');
    const lost = () => this.visit === visit && this.lost();
    this.visit = visit;
    this.subscription = events.subscribe({
      next: (result) => this.visit === visit && this.hear(result),
      error: lost,
      complete: lost,
    });
  }

  /** What it subscribes to: all that comes after what it has. */
  wish() {
    const { sequence: after, sessionId: id, channels } = this;
    return { query: this.documents.events, variables: { id, after, channels } };
  }

  /** Keeps how far it has come. */
  note(event) {
    this.sequence = event.sequence;
  }

  /** Comes back, unless it was meant to be away. */
  lost() {
    this.visit = this.subscription = undefined;
    if (this.isWanted) setImmediate(() => this.isWanted && this.connect());
    this.wake();
  }

  /** From now on the loss of the socket is not made good. */
  leave() {
    this.isWanted = false;
  }

  /** Breaks the socket, as a tunnel does to a train. */
  drop() {
    this.leave();
    this.subscription?.unsubscribe();
    this.visit = this.subscription = undefined;
    this.socket?.terminate();
    this.dropAfter = undefined;
  }

  async close() {
    this.drop();
    this.client.stop();
    // A socket that was broken before it was open makes graphql-ws reject here, with no `Error`:
    // it must not stand in for what a run failed with.
    await Promise.allSettled([this.sockets.dispose()]);
  }

  hear({ data, error }) {
    if (error && !CombinedGraphQLErrors.is(error)) return this.lost();
    const event = data?.[this.field];
    if (error || !event) return this.fail(`an event failed: ${error?.message}`);
    try {
      this.check(event);
      this.take(event);
    } catch (error) {
      this.fail(`${event.__typename} ${event.sequence ?? event.cursor}: ${error.stack}`);
    }
    this.wake();
  }

  take(event) {
    const kind = event.__typename;
    this.seen[kind] = (this.seen[kind] ?? 0) + 1;
    this.log.push(`${event.sequence} ${kind} ${event.messageId ?? ''}`);
    this.note(event);
    if (kind === 'CaughtUp') this.caughtUp = true;
    if (kind === 'ResyncNeeded') throw new Error('nothing here is that long ago');
    if (kind === 'ReplyFinished' || kind === 'ReplyFailed') this.ended.add(event.messageId);
    // A failed reply that is tried once more begins anew.
    if (kind === 'MessageUpdated') this.ended.delete(event.message.id);
    this.rules.apply(event);
    if (kind === 'ReplyDelta' && this.dropAfter !== undefined && --this.dropAfter <= 0) {
      this.drop();
    }
  }

  /** What the graph promises of the order of events. */
  check(event) {
    const stored = !LIVE_ONLY.includes(event.__typename);
    const expected = stored ? this.sequence + 1 : this.sequence;
    if (event.sequence !== expected) throw new Error(`came after ${this.sequence}`);
    if (!event.messageId || stored) return;
    if (this.rules.read(event.messageId, 'id') === undefined) {
      throw new Error('news of a reply before its message');
    }
    if (this.ended.has(event.messageId)) throw new Error('news of a reply after its end');
  }

  fail(message) {
    this.failure ??= `${this.name}: ${message}\n${this.log.slice(-20).join('\n')}`;
    this.drop();
  }

  wake() {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }

  /** Resolves at the next event. */
  event() {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  /** What the screen shows, of the cache alone. */
  view() {
    const { screen, tree } = this.documents;
    const variables = { id: this.sessionId, last: this.window };
    const painted = this.cache.readQuery({ query: screen, variables });
    const grown = this.cache.readQuery({ query: tree, variables: { id: this.sessionId } });
    if (!painted) throw new Error(`${this.name}: the cache lacks fields of the screen`);
    const { messages, outline } = bare(grown.session);
    return { session: bare(painted.session), tree: messages.nodes, outline: outline.nodes };
  }
}
