// A player without a cache: plain HTTP, and one socket to hear how replies end.
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

export const requestId = () => randomBytes(12).toString('hex');

export class Player {
  constructor(server) {
    this.server = server;
    this.since = 0;
  }

  /** The data of an answer without top-level errors. */
  async ask(query, variables = {}) {
    const response = await fetch(this.server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers() },
      body: JSON.stringify({ query, variables }),
    });
    const answer = await response.json();
    if (answer.errors) throw new Error(`${JSON.stringify(answer.errors)} of ${query}`);
    return answer.data;
  }

  headers() {
    return this.token ? { authorization: `Bearer ${this.token}` } : {};
  }

  /** A mutation with an input; its payload, whose `errors` may be expected refusals. */
  async mutate(name, input, selection) {
    const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
    const document = `mutation ($input: ${type}!) {
      ${name}(input: $input) { ${selection} errors { code message path } } }`;
    return (await this.ask(document, { input }))[name];
  }

  /** As `mutate`, and it must succeed. */
  async make(name, input, selection) {
    const payload = await this.mutate(name, input, selection);
    if (payload.errors.length) throw new Error(`${name}: ${JSON.stringify(payload.errors)}`);
    return payload;
  }

  /** Signs up; again before the access token of 15 minutes ends, as somebody else. */
  async register() {
    if (Date.now() - this.since < 10 * 60_000) return;
    this.since = Date.now();
    const username = `cache_${requestId().slice(0, 10)}`;
    const input = {
      username,
      email: `${username}@example.org`,
      password: 'a lantern for every window',
    };
    this.token = (await this.make('register', input, 'accessToken')).accessToken;
    await this.make('createPersona', { name: 'Freya', clientRequestId: requestId() }, '');
    const { characters } = await this.ask('{ characters { nodes { id } } }');
    this.characters = characters.nodes.map((node) => node.id);
  }

  async begin() {
    const input = { characterIds: this.characters.slice(0, 2), clientRequestId: requestId() };
    return (await this.make('createSession', input, 'session { id }')).session.id;
  }

  /** Resolves when a reply has ended. */
  async ended(messageId) {
    const client = createClient({
      url: () => this.server.socket,
      webSocketImpl: WebSocket,
      connectionParams: () => this.headers(),
      shouldRetry: () => true,
      retryAttempts: 1000,
      retryWait: () => setTimeout(20),
    });
    const query =
      'subscription ($id: ID!) { reply(messageId: $id, channels: []) { __typename messageId } }';
    try {
      for await (const { errors } of client.iterate({ query, variables: { id: messageId } })) {
        if (errors) throw new Error(`reply: ${JSON.stringify(errors)}`);
      }
    } catch (error) {
      // What a socket is closed with is no `Error`.
      if (error instanceof Error) throw error;
      throw new Error(`reply: the socket closed: ${error.code} ${error.reason ?? error.message}`);
    }
    await client.dispose();
  }
}
