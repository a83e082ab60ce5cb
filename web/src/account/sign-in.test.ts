import { describe, expect, test } from 'vitest';
import {
  findSignIn,
  isUnauthenticated,
  isUsable,
  localExpiry,
  parseSignIn,
  readRenewal,
  renewalDelay,
  retryDelay,
  type SignIn,
} from './sign-in';

const now = 1_000_000_000_000;
const minute = 60_000;

const payload = {
  user: { id: 'user_1', username: 'freya', displayName: 'Freya' },
  accessToken: 'access',
  accessTokenExpiresAt: new Date(now + 15 * minute).toISOString(),
  refreshToken: 'refresh',
  errors: [],
};

const signIn = (life: number): SignIn => ({
  accessToken: 'access',
  refreshToken: 'refresh',
  obtainedAt: now,
  expiresAt: now + life,
});

const token = (claims: object) => `header.${btoa(JSON.stringify(claims)).replace(/=+$/, '')}.signature`;

describe('findSignIn', () => {
  test('takes the tokens from any mutation, under any alias', () => {
    for (const name of ['register', 'login', 'refresh', 'mine']) {
      expect(findSignIn({ data: { [name]: payload } }, now)).toEqual({
        accessToken: 'access',
        refreshToken: 'refresh',
        obtainedAt: now,
        expiresAt: now + 15 * minute,
        user: payload.user,
      });
    }
  });

  test('takes nothing from answers without all three', () => {
    expect(findSignIn({ data: { login: { ...payload, refreshToken: null } } }, now)).toBeUndefined();
    expect(findSignIn({ data: { viewer: { id: 'user_1' } } }, now)).toBeUndefined();
    expect(findSignIn({ data: null, errors: [] }, now)).toBeUndefined();
    expect(findSignIn('<html>', now)).toBeUndefined();
  });
});

test('a clock that is wrong by hours does not end a fresh token', () => {
  const iat = now / 1000 - 7200;
  expect(localExpiry(token({ iat, exp: iat + 900 }), new Date(now - 6300_000).toISOString(), now)).toBe(now + 900_000);
  expect(localExpiry('opaque', new Date(now + minute).toISOString(), now)).toBe(now + minute);
});

test('a token is renewed a minute before its end, a short-lived one at half its life', () => {
  expect(renewalDelay(signIn(15 * minute), now)).toBe(14 * minute);
  expect(renewalDelay(signIn(40_000), now)).toBe(20_000);
  expect(renewalDelay(signIn(15 * minute), now + 20 * minute)).toBe(0);
});

test('a token is not sent when it would end on the way', () => {
  expect(isUsable(signIn(15 * minute), now)).toBe(true);
  expect(isUsable(signIn(15 * minute), now + 15 * minute - 1000)).toBe(false);
  expect(isUsable(signIn(2000), now)).toBe(true);
});

describe('readRenewal', () => {
  const refused = (error: object) => ({ data: { refresh: { accessToken: null, errors: [error] } } });

  test('renews', () => {
    expect(readRenewal({ data: { refresh: payload } }, now)).toMatchObject({ kind: 'renewed' });
  });

  test('only an error of the payload refuses', () => {
    const error = { code: 'INVALID_REFRESH_TOKEN', message: 'This sign-in has ended.', retryAfterMs: null };
    expect(readRenewal(refused(error), now)).toEqual({ kind: 'refused', message: 'This sign-in has ended.' });
  });

  test('a limit, a fault and what is not an answer are tried again', () => {
    expect(readRenewal(refused({ code: 'LIMITED', message: 'Slow down.', retryAfterMs: 3000 }), now)).toEqual({
      kind: 'unclear',
      retryAfter: 3000,
    });
    expect(readRenewal({ data: null, errors: [{ message: 'Internal error' }] }, now)).toEqual({ kind: 'unclear' });
    expect(readRenewal({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }, now)).toEqual({ kind: 'unclear' });
    expect(readRenewal(null, now)).toEqual({ kind: 'unclear' });
  });
});

test('retries come later and later, but at least twice a minute', () => {
  const delays = [0, 1, 2, 3, 10, 1000].map((attempt) => retryDelay(attempt, 1));
  expect(delays).toEqual([1000, 2000, 4000, 8000, 30_000, 30_000]);
  expect(retryDelay(0, 0)).toBe(500);
});

test('an answer with data is never sent again', () => {
  const errors = [{ message: 'Sign in first.', extensions: { code: 'UNAUTHENTICATED' } }];
  expect(isUnauthenticated(401, undefined)).toBe(true);
  expect(isUnauthenticated(200, { data: null, errors })).toBe(true);
  expect(isUnauthenticated(200, { errors })).toBe(true);
  expect(isUnauthenticated(200, { data: { sendMessage: null, viewer: {} }, errors })).toBe(false);
  expect(isUnauthenticated(200, { data: { viewer: null } })).toBe(false);
});

test('a stored sign-in survives, anything else counts as none', () => {
  expect(parseSignIn(JSON.stringify(signIn(minute)))).toEqual(signIn(minute));
  for (const text of [null, '', '{', 'null', '[]', '{"accessToken":"a"}']) expect(parseSignIn(text)).toBeNull();
});
