// What a sign-in is, how it is read from answers, and when it must be renewed. Pure: no clock, no storage, no network.

export interface AccountUser {
  id: string;
  username: string;
  displayName?: string;
}

export interface SignIn {
  accessToken: string;
  refreshToken: string;
  /** In milliseconds, by this machine's clock. */
  obtainedAt: number;
  expiresAt: number;
  user?: AccountUser;
}

/** How long before its end a token is renewed. */
const renewalLead = 60_000;
/** A token this close to its end might end on the way to the server. */
const safetyMargin = 5_000;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export function readUser(value: unknown): AccountUser | undefined {
  if (!isObject(value) || !isText(value['id']) || !isText(value['username'])) return undefined;
  const user: AccountUser = { id: value['id'], username: value['username'] };
  if (isText(value['displayName'])) user.displayName = value['displayName'];
  return user;
}

/** The sign-in that an answer carries, whichever mutation gave it and whatever alias the field has. */
export function findSignIn(result: unknown, now: number): SignIn | undefined {
  if (!isObject(result) || !isObject(result['data'])) return undefined;
  for (const payload of Object.values(result['data'])) {
    if (!isObject(payload)) continue;
    const { accessToken, accessTokenExpiresAt, refreshToken } = payload;
    if (!isText(accessToken) || !isText(refreshToken) || !isText(accessTokenExpiresAt)) continue;
    const user = readUser(payload['user']);
    return {
      accessToken,
      refreshToken,
      obtainedAt: now,
      expiresAt: localExpiry(accessToken, accessTokenExpiresAt, now),
      ...(user && { user }),
    };
  }
  return undefined;
}

/**
 * When the token ends by this machine's clock. A clock that is wrong by hours is common, and would make a fresh token
 * look expired; so the token's own life (from `iat` to `exp`) counts from now on, if the token tells it.
 */
export function localExpiry(accessToken: string, expiresAt: string, now: number): number {
  const claims = readClaims(accessToken);
  if (claims) return now + (claims.exp - claims.iat) * 1000;
  const time = Date.parse(expiresAt);
  return Number.isNaN(time) ? now + 2 * renewalLead : time;
}

function readClaims(token: string): { iat: number; exp: number } | undefined {
  try {
    const part = token.split('.')[1] ?? '';
    const claims = JSON.parse(atob(part.replace(/-/g, '+').replace(/_/g, '/'))) as Record<string, unknown>;
    const { iat, exp } = claims;
    return typeof iat === 'number' && typeof exp === 'number' && exp > iat ? { iat, exp } : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds until the renewal is due; 0 if it is. Short-lived tokens are renewed at half their life. */
export function renewalDelay(signIn: SignIn, now: number): number {
  const life = Math.max(0, signIn.expiresAt - signIn.obtainedAt);
  const lead = Math.min(renewalLead, life / 2);
  return Math.max(0, signIn.expiresAt - lead - now);
}

export function isUsable(signIn: SignIn, now: number): boolean {
  const life = Math.max(0, signIn.expiresAt - signIn.obtainedAt);
  return signIn.expiresAt - Math.min(safetyMargin, life / 4) > now;
}

export type RenewalOutcome =
  | { kind: 'renewed'; signIn: SignIn }
  /** The server said no. Only this signs out. */
  | { kind: 'refused'; message: string }
  /** Nobody said no: the network, a proxy, a fault, a limit. Worth another try. */
  | { kind: 'unclear'; retryAfter?: number };

/** Reads the answer to `refresh`, which stands alone in its request. */
export function readRenewal(result: unknown, now: number): RenewalOutcome {
  const signIn = findSignIn(result, now);
  if (signIn) return { kind: 'renewed', signIn };
  const payload = isObject(result) && isObject(result['data']) ? result['data']['refresh'] : undefined;
  const errors = isObject(payload) && Array.isArray(payload['errors']) ? payload['errors'] : [];
  const error: unknown = errors[0];
  if (!isObject(error)) return { kind: 'unclear' };
  // A limit passes by itself, and says when.
  const { retryAfterMs } = error;
  if (typeof retryAfterMs === 'number') return { kind: 'unclear', retryAfter: retryAfterMs };
  return { kind: 'refused', message: isText(error['message']) ? error['message'] : 'The sign-in has ended.' };
}

/** Wait before try `attempt` (from 0), growing to half a minute, spread so that many pages do not come at once. */
export function retryDelay(attempt: number, random: number): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5)) * (0.5 + random / 2);
}

/** Whether an answer says that the token was not accepted, before anything was done. */
export function isUnauthenticated(status: number, result: unknown): boolean {
  if (status === 401) return true;
  if (!isObject(result) || (result['data'] !== undefined && result['data'] !== null)) return false;
  const errors = result['errors'];
  return (
    Array.isArray(errors) &&
    errors.some(
      (error: unknown) =>
        isObject(error) && isObject(error['extensions']) && error['extensions']['code'] === 'UNAUTHENTICATED',
    )
  );
}

/** What a stored text says. Anything unreadable counts as "not signed in". */
export function parseSignIn(text: string | null): SignIn | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    if (!isObject(value)) return null;
    const { accessToken, refreshToken, obtainedAt, expiresAt } = value;
    if (!isText(accessToken) || !isText(refreshToken)) return null;
    if (typeof obtainedAt !== 'number' || typeof expiresAt !== 'number') return null;
    const user = readUser(value['user']);
    return { accessToken, refreshToken, obtainedAt, expiresAt, ...(user && { user }) };
  } catch {
    return null;
  }
}
