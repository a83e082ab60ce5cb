// A small stand-in for a Skald server: enough of the graph for the page's tour, all in memory, with a canned reply that
// is streamed as a real one is. It also serves dist/ with the headers the real server sends.
//
//   node e2e/mock.mjs [PORT]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildSchema, graphql, GraphQLError } from 'graphql';
import { makeServer } from 'graphql-ws';
import { WebSocketServer } from 'ws';

const distFolder = fileURLToPath(new URL('../dist/', import.meta.url));

const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "worker-src 'self' blob:",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data:",
  "font-src 'self' data:",
].join('; ');

const contentTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
};

const schema = buildSchema(`
  type UserError { code: String! message: String! path: [String!] retryAfterMs: Int }
  type User { id: ID! username: String! displayName: String! }
  type SignInPayload { user: User accessToken: String accessTokenExpiresAt: String refreshToken: String errors: [UserError!]! }
  type LogoutPayload { errors: [UserError!]! }

  type Persona { id: ID! name: String! }
  type Character { id: ID! name: String! }
  type CharacterConnection { nodes: [Character!]! }
  type Author { name: String! }
  type Alternatives { count: Int! messageIds: [ID!]! messages: MessageConnection! }
  type ReplyFailure { code: String! message: String! }
  type Generation { failure: ReplyFailure }
  type Message {
    id: ID! role: String! author: Author! content: String! thought: String status: String!
    position: Int! alternatives: Alternatives! generation: Generation
  }
  type MessageConnection { nodes: [Message!]! }
  type Session { id: ID! head: Message path(last: Int): MessageConnection! }

  input RegisterInput { username: String! email: String! password: String! displayName: String }
  input LoginInput { login: String! password: String! }
  input RefreshInput { refreshToken: String! }
  input LogoutInput { refreshToken: String }
  input CreatePersonaInput { name: String! description: String appearance: String personality: String clientRequestId: String! }
  input CreateCharacterInput { name: String! description: String greeting: String clientRequestId: String! }
  input CreateSessionInput { personaId: ID! characterIds: [ID!]! language: String relationship: String clientRequestId: String! }
  input SendMessageInput { sessionId: ID! content: String! parentId: ID clientRequestId: String! }
  input RegenerateReplyInput { messageId: ID! modelId: ID clientRequestId: String! }
  input SelectMessageInput { messageId: ID! }
  input StopReplyInput { messageId: ID! }

  type PersonaPayload { persona: Persona errors: [UserError!]! }
  type CharacterPayload { character: Character errors: [UserError!]! }
  type SessionPayload { session: Session errors: [UserError!]! }
  type SendMessagePayload { session: Session message: Message reply: Message errors: [UserError!]! }
  type RegenerateReplyPayload { session: Session reply: Message errors: [UserError!]! }
  type StopReplyPayload { reply: Message errors: [UserError!]! }

  type Query {
    viewer: User
    characters: CharacterConnection!
    session(id: ID!): Session
    message(id: ID!): Message
  }
  type Mutation {
    register(input: RegisterInput!): SignInPayload!
    login(input: LoginInput!): SignInPayload!
    refresh(input: RefreshInput!): SignInPayload!
    logout(input: LogoutInput!): LogoutPayload!
    createPersona(input: CreatePersonaInput!): PersonaPayload!
    createCharacter(input: CreateCharacterInput!): CharacterPayload!
    createSession(input: CreateSessionInput!): SessionPayload!
    sendMessage(input: SendMessageInput!): SendMessagePayload!
    regenerateReply(input: RegenerateReplyInput!): RegenerateReplyPayload!
    selectMessage(input: SelectMessageInput!): SessionPayload!
    stopReply(input: StopReplyInput!): StopReplyPayload!
  }

  enum ReplyChannel { CONTENT THOUGHT }
  interface ReplyEvent { messageId: ID! attempt: Int! }
  type ReplyStageChanged implements ReplyEvent { messageId: ID! attempt: Int! stage: String! }
  type ReplyDelta implements ReplyEvent { messageId: ID! attempt: Int! channel: ReplyChannel! offset: Int! text: String! }
  type ReplyReset implements ReplyEvent { messageId: ID! attempt: Int! content: String! thought: String }
  type ReplyFinished implements ReplyEvent { messageId: ID! attempt: Int! message: Message! }
  type ReplyFailed implements ReplyEvent { messageId: ID! attempt: Int! message: Message! }
  type Subscription { reply(messageId: ID!, offset: Int, thoughtOffset: Int, channels: [ReplyChannel!]): ReplyEvent! }
`);

const cannedThought = 'She asks for a date. A keeper would answer with a storm instead.';
const cannedReplies = [
  'Halvard sets the lamp on the sill and counts on his fingers, then gives up. "Longer than the road," he says. ' +
    '"My grandmother lit it the night the fishing fleet did not come home. Eleven boats." He pulls a chair out with his foot. ' +
    '"Nobody charts it because nobody who sees it close by sails on to tell." The wind leans on the door. ' +
    '"You walked. That may be the difference. Sit down, mapmaker, before the tea gives up on us both."',
  '"That depends on who counts," the keeper says, and for the first time he smiles. He takes a ledger from under the bed, ' +
    'its pages swollen with salt. Every line is a ship, every ship a year, and the first pages are in a hand that is not his. ' +
    '"Draw it, if you like. But draw it a little to the left." He turns the lamp down. "The rocks listen, and they have a way ' +
    'of moving to where the maps say they are not."',
];

/** Starts the stand-in. `tokenLife` is in milliseconds, `deltaPause` the time between two pieces of a reply. */
export async function startMock({ port = 0, tokenLife = 15 * 60_000, deltaPause = 30 } = {}) {
  const users = new Map();
  const accessTokens = new Map();
  const refreshTokens = new Map();
  const sessions = new Map();
  const messages = new Map();
  const sockets = new Set();
  const counts = { refreshes: 0, connections: 0 };
  let failuresLeft = 0;
  let onRefresh = () => {};
  const newId = (prefix) => `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 26)}`;
  const refusal = (code, message) => ({ errors: [{ code, message, path: null, retryAfterMs: null }] });

  function grant(user) {
    const accessToken = newId('access');
    const refreshToken = newId('refresh');
    const expiresAt = Date.now() + tokenLife;
    accessTokens.set(accessToken, { user, expiresAt });
    refreshTokens.set(refreshToken, user);
    return { user, accessToken, accessTokenExpiresAt: new Date(expiresAt).toISOString(), refreshToken, errors: [] };
  }

  function readToken(authorization) {
    const entry = accessTokens.get(String(authorization ?? '').replace(/^Bearer /, ''));
    return entry && entry.expiresAt > Date.now() ? entry : undefined;
  }

  function needUser(context) {
    if (!context.user) {
      throw new GraphQLError('Sign in first.', { extensions: { code: 'UNAUTHENTICATED' } });
    }
    return context.user;
  }

  function addMessage(session, parent, role, name, content, status) {
    const record = {
      id: newId('message'),
      session,
      parent,
      role,
      name,
      content,
      thought: '',
      status,
      events: new Set(),
    };
    messages.set(record.id, record);
    session.messages.push(record);
    return record;
  }

  const siblings = (record) =>
    record.session.messages.filter((other) => other.parent === record.parent && other.role === record.role);

  const showMessage = (record) => ({
    id: record.id,
    role: record.role,
    author: { name: record.name },
    content: record.content,
    thought: record.thought || null,
    status: record.status,
    position: () => siblings(record).indexOf(record),
    alternatives: () => ({
      count: siblings(record).length,
      messageIds: siblings(record).map((other) => other.id),
      messages: { nodes: siblings(record).map(showMessage) },
    }),
    generation: { failure: null },
  });

  const showSession = (session) => ({
    id: session.id,
    head: () => showMessage(session.head),
    path: ({ last = 20 }) => {
      const nodes = [];
      for (let at = session.head; at; at = at.parent) nodes.unshift(showMessage(at));
      return { nodes: nodes.slice(-last) };
    },
  });

  const event = (record, type, fields) => ({
    reply: { __typename: type, messageId: record.id, attempt: 1, ...fields },
  });
  const isOver = (record) => record.status !== 'PENDING' && record.status !== 'WRITING';
  const endEvent = (record) => event(record, 'ReplyFinished', { message: showMessage(record) });

  function finish(record, status) {
    if (isOver(record)) return;
    record.status = status;
    for (const send of record.events) send(endEvent(record));
  }

  /** Writes by itself, whether somebody watches or not. */
  async function write(record) {
    const text = cannedReplies[siblings(record).indexOf(record) % cannedReplies.length];
    const pause = () => new Promise((resolve) => setTimeout(resolve, deltaPause));
    const tell = (type, fields) => {
      for (const send of record.events) send(event(record, type, fields));
    };
    for (const stage of ['RECALLING', 'WAITING', 'WRITING']) {
      record.stage = stage;
      tell('ReplyStageChanged', { stage });
      for (let step = 0; step < 6; step += 1) await pause();
    }
    record.status = 'WRITING';
    for (const [key, whole, channel] of [
      ['thought', cannedThought, 'THOUGHT'],
      ['content', text, 'CONTENT'],
    ]) {
      while (record[key].length < whole.length) {
        if (isOver(record)) return;
        const offset = record[key].length;
        const piece = whole.slice(offset, offset + 4);
        record[key] += piece;
        tell('ReplyDelta', { channel, offset, text: piece });
        await pause();
      }
    }
    finish(record, 'COMPLETE');
  }

  function startReply(session, parent) {
    const record = addMessage(session, parent, 'CHARACTER', 'Halvard', '', 'PENDING');
    session.head = record;
    void write(record);
    return record;
  }

  /** First what is written so far, then live, until the end. */
  function watch(record) {
    const queue = [];
    let wake = () => {};
    const send = (value) => {
      queue.push(value);
      wake();
    };
    if (record.stage) send(event(record, 'ReplyStageChanged', { stage: record.stage }));
    if (record.thought) send(event(record, 'ReplyDelta', { channel: 'THOUGHT', offset: 0, text: record.thought }));
    if (record.content) send(event(record, 'ReplyDelta', { channel: 'CONTENT', offset: 0, text: record.content }));
    if (isOver(record)) send(endEvent(record));
    else record.events.add(send);
    let isDone = false;
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        while (queue.length === 0 && !isDone) await new Promise((resolve) => (wake = resolve));
        if (isDone) return { value: undefined, done: true };
        const value = queue.shift();
        if (value.reply.__typename === 'ReplyFinished') isDone = true;
        return { value, done: false };
      },
      async return() {
        isDone = true;
        record.events.delete(send);
        wake();
        return { value: undefined, done: true };
      },
    };
  }

  const root = {
    viewer: (_, { user }) => user ?? null,
    characters: () => ({ nodes: [{ id: newId('character'), name: 'Ada, an example' }] }),
    session: ({ id }, context) => (needUser(context) && sessions.has(id) ? showSession(sessions.get(id)) : null),
    message: ({ id }, context) => (needUser(context) && messages.has(id) ? showMessage(messages.get(id)) : null),

    register({ input }) {
      if (users.has(input.username)) return refusal('TAKEN', 'This username is taken.');
      const user = { id: newId('user'), username: input.username, displayName: input.displayName ?? input.username };
      users.set(input.username, { user, email: input.email, password: input.password });
      return grant(user);
    },
    login({ input }) {
      const account = [...users.values()].find(
        ({ user, email }) => user.username === input.login || email === input.login,
      );
      if (!account || account.password !== input.password) {
        return refusal('BAD_CREDENTIALS', 'The name or the password is wrong.');
      }
      return grant(account.user);
    },
    refresh({ input }) {
      counts.refreshes += 1;
      const user = refreshTokens.get(input.refreshToken);
      if (!user) return refusal('INVALID_REFRESH_TOKEN', 'This sign-in has ended. Sign in again.');
      refreshTokens.delete(input.refreshToken);
      onRefresh();
      return grant(user);
    },
    logout({ input }) {
      refreshTokens.delete(input.refreshToken);
      return { errors: [] };
    },
    createPersona({ input }, context) {
      needUser(context);
      return { persona: { id: newId('persona'), name: input.name }, errors: [] };
    },
    createCharacter({ input }, context) {
      needUser(context);
      return { character: { id: newId('character'), name: input.name }, errors: [] };
    },
    createSession({ input }, context) {
      needUser(context);
      if (!input.personaId.startsWith('persona_')) {
        throw new GraphQLError('personaId is not the id of a persona.', { extensions: { code: 'BAD_USER_INPUT' } });
      }
      const session = { id: newId('session'), messages: [], head: null };
      sessions.set(session.id, session);
      session.head = addMessage(session, null, 'CHARACTER', 'Halvard', 'The door opens before you knock.', 'COMPLETE');
      return { session: showSession(session), errors: [] };
    },
    sendMessage({ input }, context) {
      needUser(context);
      const session = sessions.get(input.sessionId);
      const parent = messages.get(input.parentId);
      if (!session || !parent) return refusal('NOT_FOUND', 'There is no such session or message.');
      const message = addMessage(session, parent, 'PLAYER', 'Freya', input.content, 'COMPLETE');
      const reply = startReply(session, message);
      return { session: showSession(session), message: showMessage(message), reply: showMessage(reply), errors: [] };
    },
    regenerateReply({ input }, context) {
      needUser(context);
      const record = messages.get(input.messageId);
      if (!record) return refusal('NOT_FOUND', 'There is no such message.');
      const reply = startReply(record.session, record.parent);
      return { session: showSession(record.session), reply: showMessage(reply), errors: [] };
    },
    selectMessage({ input }, context) {
      needUser(context);
      const record = messages.get(input.messageId);
      if (!record) return refusal('NOT_FOUND', 'There is no such message.');
      record.session.head = record;
      return { session: showSession(record.session), errors: [] };
    },
    stopReply({ input }, context) {
      needUser(context);
      const record = messages.get(input.messageId);
      if (!record) return refusal('NOT_FOUND', 'There is no such message.');
      finish(record, 'STOPPED');
      return { reply: showMessage(record), errors: [] };
    },
  };

  async function answerQuery(request, response) {
    let body = '';
    for await (const piece of request) body += piece;
    const { query, variables, operationName } = JSON.parse(body);
    if (failuresLeft > 0 && query.includes('refresh(')) {
      failuresLeft -= 1;
      response.writeHead(503).end('Back in a moment.');
      return;
    }
    const { authorization } = request.headers;
    const entry = readToken(authorization);
    const result =
      authorization && !entry
        ? { errors: [{ message: 'The token is not valid.', extensions: { code: 'UNAUTHENTICATED' } }] }
        : await graphql({
            schema,
            source: query,
            rootValue: root,
            contextValue: { user: entry?.user },
            variableValues: variables,
            operationName,
          });
    response.writeHead(authorization && !entry ? 401 : 200, { 'content-type': 'application/graphql-response+json' });
    response.end(JSON.stringify(result));
  }

  async function serveFile(request, response) {
    const path = normalize(new URL(request.url, 'http://host').pathname);
    const name = path === '/' ? 'index.html' : path.slice(1);
    try {
      const bytes = await readFile(join(distFolder, name));
      response.writeHead(200, {
        'content-type': contentTypes[extname(name)] ?? 'application/octet-stream',
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
      });
      response.end(bytes);
    } catch {
      response.writeHead(404).end('There is no such file.');
    }
  }

  const server = createServer((request, response) => {
    const isQuery = request.method === 'POST' && request.url === '/graphql';
    (isQuery ? answerQuery(request, response) : serveFile(request, response)).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });

  const subscriptions = makeServer({
    schema,
    onConnect: ({ connectionParams, extra }) => {
      const authorization = connectionParams?.authorization;
      const entry = readToken(authorization);
      if (authorization && !entry) return false;
      extra.user = entry?.user;
      extra.timer =
        entry && setTimeout(() => extra.socket.close(4403, 'The token has ended'), entry.expiresAt - Date.now());
      return true;
    },
    context: ({ extra }) => extra,
    roots: {
      subscription: {
        reply({ messageId }, context) {
          needUser(context);
          const record = messages.get(messageId);
          if (!record) throw new GraphQLError('There is no such reply.', { extensions: { code: 'NOT_FOUND' } });
          return watch(record);
        },
      },
    },
  });
  const webSockets = new WebSocketServer({ server, path: '/graphql', handleProtocols: () => 'graphql-transport-ws' });
  webSockets.on('connection', (socket) => {
    counts.connections += 1;
    sockets.add(socket);
    const extra = { socket };
    const closed = subscriptions.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve, reject) => socket.send(data, (error) => (error ? reject(error) : resolve()))),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (listen) =>
          socket.on('message', (data) => {
            void listen(data.toString()).catch((error) => socket.close(4500, String(error.message).slice(0, 120)));
          }),
      },
      extra,
    );
    socket.on('close', (code, reason) => {
      clearTimeout(extra.timer);
      sockets.delete(socket);
      void closed(code, reason.toString());
    });
  });

  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    counts,
    /** Ends all access tokens and the sockets opened with them, as time would. */
    endTokens() {
      accessTokens.clear();
      for (const socket of sockets) socket.close(4403, 'The token has ended');
    },
    /** From now on access tokens live this long. */
    setTokenLife(milliseconds) {
      tokenLife = milliseconds;
    },
    /** The next renewals fail, as behind a proxy whose server restarts; resolves with the first that does not. */
    failRenewals(count) {
      failuresLeft = count;
      return new Promise((resolve) => (onRefresh = resolve));
    },
    /** Ends all sign-ins: no refresh token is worth anything any more. */
    endSignIns() {
      refreshTokens.clear();
    },
    async stop() {
      for (const socket of sockets) socket.terminate();
      webSockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { url } = await startMock({ port: Number(process.argv[2] ?? 8000) });
  console.log(`ready ${url}`);
}
