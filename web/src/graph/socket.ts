// Subscriptions: one WebSocket for all of them, open while there are any.
import { createClient, type Client } from 'graphql-ws';
import type { Account } from '../account/account';
import { retryDelay } from '../account/sign-in';

/** The server closes a socket with this code when the token it was opened with has ended. */
const tokenEnded = 4403;

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

export type SocketState = 'idle' | 'connected' | 'reconnecting';

export class Socket {
  private readonly shared: Client;
  private connectionState: SocketState = 'idle';
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly endpoint: string,
    account: Account,
  ) {
    let sentToken: string | null = null;
    let endedToken: string | null = null;
    this.shared = createClient({
      url: this.url(),
      lazy: true,
      connectionParams: async () => {
        if (endedToken !== null) await account.renew(endedToken);
        endedToken = null;
        sentToken = await account.accessToken();
        return sentToken ? { authorization: `Bearer ${sentToken}` } : {};
      },
      // A story outlives any outage: keep trying. The client itself never retries the codes that mean "do not".
      retryAttempts: Number.POSITIVE_INFINITY,
      shouldRetry: () => true,
      retryWait: (attempt) => pause(retryDelay(attempt, Math.random())),
      on: {
        connected: () => this.setState('connected'),
        closed: (event) => {
          const { code, wasClean } = event as CloseEvent;
          if (code === tokenEnded) endedToken = sentToken;
          this.setState(wasClean && code === 1000 ? 'idle' : 'reconnecting');
        },
      },
    });
    // What is open was opened in somebody else's name. A renewed token changes nothing: the server asks only at the start.
    account.onIdentityChange(() => this.shared.terminate());
  }

  state = (): SocketState => this.connectionState;

  onState = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  client(): Client {
    return this.shared;
  }

  /** A socket of its own for an operation that brings its own Authorization. */
  clientFor(authorization: string): Client {
    return createClient({
      url: this.url(),
      connectionParams: { authorization },
      retryAttempts: 5,
      shouldRetry: () => true,
    });
  }

  private url(): string {
    const url = new URL(this.endpoint, window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return url.href;
  }

  private setState(state: SocketState): void {
    this.connectionState = state;
    for (const listener of this.listeners) listener();
  }
}
