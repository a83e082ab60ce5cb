// The sign-in of this browser: shared by all its tabs through `localStorage`, renewed before it ends, never lost to a
// bad network. Everything that needs a token asks here.
import { exclusively } from './exclusive';
import {
  findSignIn,
  isUsable,
  parseSignIn,
  readRenewal,
  readUser,
  renewalDelay,
  retryDelay,
  type RenewalOutcome,
  type SignIn,
} from './sign-in';

const storageKey = 'skald:sign-in';
const lockName = 'skald:renewal';
const requestTimeout = 15_000;
/** Timers stop while a machine sleeps, so the account looks again at least this often. */
const longestSleep = 30_000;

const refreshDocument = `mutation Refresh($input: RefreshInput!) {
  refresh(input: $input) {
    user { id username displayName }
    accessToken accessTokenExpiresAt refreshToken
    errors { code message retryAfterMs }
  }
}`;
const logoutDocument = `mutation Logout($input: LogoutInput!) { logout(input: $input) { errors { code message } } }`;
const viewerDocument = `query Viewer { viewer { id username displayName } }`;

export class Account {
  private signIn: SignIn | null = null;
  /** Why the last sign-in ended, if the server ended it. */
  private endedBecause: string | null = null;
  private renewing: Promise<void> | null = null;
  private failedRenewals = 0;
  private nextTryAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly changeListeners = new Set<() => void>();
  private readonly identityListeners = new Set<() => void>();

  constructor(private readonly endpoint: string) {
    this.signIn = parseSignIn(localStorage.getItem(storageKey));
    window.addEventListener('storage', (event) => {
      // `key` is null when the whole storage was cleared.
      if (event.key === storageKey || event.key === null) this.take(parseSignIn(localStorage.getItem(storageKey)));
    });
    const lookAgain = () => {
      this.nextTryAt = 0;
      this.schedule();
    };
    window.addEventListener('online', lookAgain);
    window.addEventListener('pageshow', lookAgain);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') lookAgain();
    });
    this.schedule();
  }

  current = (): SignIn | null => this.signIn;
  ending = (): string | null => this.endedBecause;

  /** Called whenever anything about the sign-in changes, a renewed token included. */
  onChange = (listener: () => void): (() => void) => {
    this.changeListeners.add(listener);
    return () => this.changeListeners.delete(listener);
  };

  /** Called only when another user, or nobody, is signed in from now on. */
  onIdentityChange = (listener: () => void): (() => void) => {
    this.identityListeners.add(listener);
    return () => this.identityListeners.delete(listener);
  };

  /** A token to send, renewed first if it has ended. Null when nobody is signed in. */
  async accessToken(): Promise<string | null> {
    const signIn = this.signIn;
    if (signIn && !isUsable(signIn, Date.now())) await this.renew(signIn.accessToken);
    return this.signIn?.accessToken ?? null;
  }

  /** Replaces the given token, unless that has happened already, here or in another tab. Never throws. */
  async renew(stale: string): Promise<void> {
    if (this.signIn?.accessToken !== stale) return;
    this.renewing ??= this.renewOnce(stale).finally(() => {
      this.renewing = null;
      this.schedule();
    });
    await this.renewing;
  }

  /** Takes over the sign-in in an answer, if it carries one. */
  adopt(result: unknown): boolean {
    const signIn = findSignIn(result, Date.now());
    if (!signIn) return false;
    this.endedBecause = null;
    this.store(signIn);
    if (!signIn.user) void this.lookUpUser(signIn.accessToken);
    return true;
  }

  /** Signs out here at once; tells the server as well as it can. */
  signOut(): void {
    const signIn = this.signIn;
    this.endedBecause = null;
    this.store(null);
    if (!signIn) return;
    const variables = { input: { refreshToken: signIn.refreshToken } };
    this.post(logoutDocument, variables, signIn.accessToken).catch(() => undefined);
  }

  /** Forgets the sign-in after a `logout` that somebody ran by hand. */
  forget(): void {
    this.store(null);
  }

  async post(query: string, variables?: object, token?: string): Promise<unknown> {
    const response = await fetch(this.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(requestTimeout),
    });
    return response.json();
  }

  private async renewOnce(stale: string): Promise<void> {
    await exclusively(lockName, async () => {
      // Another tab may have done it while this one waited for its turn.
      const stored = parseSignIn(localStorage.getItem(storageKey));
      if (!stored || stored.accessToken !== stale) {
        this.take(stored);
        return;
      }
      let outcome: RenewalOutcome;
      try {
        const variables = { input: { refreshToken: stored.refreshToken } };
        outcome = readRenewal(await this.post(refreshDocument, variables), Date.now());
      } catch {
        outcome = { kind: 'unclear' };
      }

      // Somebody signed in or out in the meantime: then the answer is about a sign-in that is no longer ours.
      if (parseSignIn(localStorage.getItem(storageKey))?.refreshToken !== stored.refreshToken) return;
      switch (outcome.kind) {
        case 'renewed': {
          const user = outcome.signIn.user ?? stored.user;
          this.store({ ...outcome.signIn, ...(user && { user }) });
          break;
        }
        case 'refused':
          this.endedBecause = outcome.message;
          this.store(null);
          break;
        case 'unclear':
          this.nextTryAt = Date.now() + (outcome.retryAfter ?? retryDelay(this.failedRenewals, Math.random()));
          this.failedRenewals += 1;
      }
    }).catch(() => undefined);
  }

  private async lookUpUser(token: string): Promise<void> {
    const result = (await this.post(viewerDocument, undefined, token).catch(() => undefined)) as
      { data?: { viewer?: unknown } } | undefined;
    const user = readUser(result?.data?.viewer);
    if (user && this.signIn?.accessToken === token) this.store({ ...this.signIn, user });
  }

  private store(signIn: SignIn | null): void {
    if (signIn) localStorage.setItem(storageKey, JSON.stringify(signIn));
    else localStorage.removeItem(storageKey);
    this.take(signIn);
  }

  private take(signIn: SignIn | null): void {
    const before = this.signIn;
    this.signIn = signIn;
    this.failedRenewals = 0;
    this.nextTryAt = 0;
    this.schedule();
    for (const listener of this.changeListeners) listener();
    if (isOtherIdentity(before, signIn)) for (const listener of this.identityListeners) listener();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const signIn = this.signIn;
    if (!signIn || this.renewing) return;
    const now = Date.now();
    const wait = Math.max(renewalDelay(signIn, now), this.nextTryAt - now);
    this.timer = setTimeout(
      () => {
        if (wait > longestSleep) this.schedule();
        else void this.renew(signIn.accessToken);
      },
      Math.min(wait, longestSleep),
    );
  }
}

function isOtherIdentity(before: SignIn | null, after: SignIn | null): boolean {
  if (!before || !after) return before !== after;
  if (!before.user || !after.user) return false;
  return before.user.id !== after.user.id;
}
