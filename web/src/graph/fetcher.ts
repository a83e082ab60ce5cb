// What GraphiQL calls to run an operation: queries and mutations over HTTP, subscriptions over the socket.
import type { Fetcher, FetcherOpts, FetcherParams, Observable } from '@graphiql/toolkit';
import { Kind, parse, type ExecutionResult, type OperationDefinitionNode } from 'graphql';
import type { Account } from '../account/account';
import { isUnauthenticated } from '../account/sign-in';
import type { ReplyFeed } from '../reply/feed';
import type { Answers } from './answers';
import type { Socket } from './socket';

interface Parts {
  endpoint: string;
  account: Account;
  socket: Socket;
  answers: Answers;
  replies: ReplyFeed;
}

interface Observer {
  next(result: ExecutionResult): void;
  error(error: unknown): void;
  complete(): void;
}

/** Reading a reply anew heals a gap. One that comes back sooner than this is not healed that way. */
const restartPause = 5_000;

export function createFetcher(parts: Parts): Fetcher {
  return (params, options) => {
    const operation = findOperation(params);
    const request = { ...params, operationName: operation?.name?.value ?? params.operationName };
    return operation?.operation === 'subscription'
      ? subscribe(parts, request, options)
      : post(parts, request, options, operation?.operation === 'mutation');
  };
}

/**
 * GraphiQL reads a document some time after it has changed, so just after another tab was opened it still gives the
 * name of an operation of the last one. Where there is only one operation to run, its name is beyond doubt.
 */
function findOperation(params: FetcherParams): OperationDefinitionNode | undefined {
  try {
    const operations = parse(params.query).definitions.filter((part) => part.kind === Kind.OPERATION_DEFINITION);
    return operations.length === 1
      ? operations[0]
      : operations.find((operation) => operation.name?.value === params.operationName);
  } catch {
    // The server explains what is wrong with it.
    return undefined;
  }
}

function ownAuthorization(options: FetcherOpts | undefined): string | undefined {
  const headers = (options?.headers ?? {}) as Record<string, unknown>;
  const name = Object.keys(headers).find((key) => key.toLowerCase() === 'authorization');
  return name === undefined ? undefined : String(headers[name]);
}

async function post(
  { endpoint, account, answers }: Parts,
  params: FetcherParams,
  options: FetcherOpts | undefined,
  isMutation: boolean,
): Promise<ExecutionResult> {
  const hasOwnAuthorization = ownAuthorization(options) !== undefined;
  const send = async (token: string | null) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(options?.headers as Record<string, string> | undefined),
      },
      body: JSON.stringify({
        query: params.query,
        variables: params.variables as unknown,
        operationName: params.operationName,
      }),
    });
    return { status: response.status, result: await readResult(response) };
  };

  const token = hasOwnAuthorization ? null : await account.accessToken();
  let answer = await send(token);
  if (token !== null && isUnauthenticated(answer.status, answer.result)) {
    await account.renew(token);
    const renewed = account.current()?.accessToken;
    if (renewed && renewed !== token) answer = await send(renewed);
  }

  const { result } = answer;
  if (isMutation && !account.adopt(result) && isOwnLogout(account, params, result)) account.forget();
  answers.tell({ operationName: params.operationName ?? undefined, result });
  return result;
}

async function readResult(response: Response): Promise<ExecutionResult> {
  const text = await response.text();
  try {
    return JSON.parse(text) as ExecutionResult;
  } catch {
    // Not Skald's voice: a proxy's, most likely.
    throw new Error(`The server answered with HTTP ${response.status} and no JSON: ${text.slice(0, 200)}`);
  }
}

/** A successful `logout` that ended this page's sign-in: it named its token, or none at all. */
function isOwnLogout(account: Account, params: FetcherParams, result: ExecutionResult): boolean {
  const payload = result.data?.['logout'] as { errors?: unknown[] } | null | undefined;
  if (!payload || (payload.errors?.length ?? 0) > 0) return false;
  const asked = params.query + JSON.stringify(params.variables ?? {});
  const refreshToken = account.current()?.refreshToken;
  return refreshToken !== undefined && (asked.includes(refreshToken) || !/"?refreshToken"?\s*:/.test(asked));
}

function subscribe(
  { socket, replies }: Parts,
  params: FetcherParams,
  options: FetcherOpts | undefined,
): Observable<ExecutionResult> {
  return {
    subscribe(given) {
      // The type allows more forms; GraphiQL uses this one.
      const observer = given as Observer;
      const authorization = ownAuthorization(options);
      const client = authorization === undefined ? socket.client() : socket.clientFor(authorization);
      const payload = {
        query: params.query,
        variables: params.variables as Record<string, unknown> | undefined,
        operationName: params.operationName,
      };
      let restartedAt = Number.NEGATIVE_INFINITY;
      let unsubscribe = () => {};
      const end = replies.begin();

      const start = () => {
        let isCurrent = true;
        const stop = client.subscribe<Record<string, unknown>>(payload, {
          next(result) {
            if (!isCurrent) return;
            observer.next(result as ExecutionResult);
            const now = performance.now();
            if (replies.take(result.data) === 'gap' && now - restartedAt > restartPause) {
              restartedAt = now;
              unsubscribe();
              start();
            }
          },
          error(error) {
            if (!isCurrent) return;
            finish();
            if (Array.isArray(error)) {
              observer.next({ errors: error } as ExecutionResult);
              observer.complete();
            } else observer.error(describeFailure(error));
          },
          complete() {
            if (!isCurrent) return;
            finish();
            observer.complete();
          },
        });
        unsubscribe = () => {
          isCurrent = false;
          stop();
        };
      };
      const finish = () => {
        end();
        if (authorization !== undefined) void client.dispose();
      };

      start();
      return {
        unsubscribe() {
          unsubscribe();
          finish();
        },
      };
    },
  };
}

function describeFailure(error: unknown): Error {
  if (error instanceof Error) return error;
  const { code, reason } = error as Partial<CloseEvent>;
  return new Error(code ? `The socket was closed with ${code}: ${reason || 'no reason given'}` : 'The socket failed.');
}
