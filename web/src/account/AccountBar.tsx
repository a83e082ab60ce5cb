// The bar above GraphiQL: who is signed in, and a form to change that.
import { useEffect, useId, useRef, useState, useSyncExternalStore, type FormEvent, type ReactNode } from 'react';
import type { Account } from './account';

const payload = `{
    user { id username displayName }
    accessToken accessTokenExpiresAt refreshToken
    errors { code message }
  }`;
const loginDocument = `mutation SignIn($input: LoginInput!) { login(input: $input) ${payload} }`;
const registerDocument = `mutation Register($input: RegisterInput!) { register(input: $input) ${payload} }`;

export function AccountBar({ account, children }: { account: Account; children?: ReactNode }) {
  const signIn = useSyncExternalStore(account.onChange, account.current);
  const ending = useSyncExternalStore(account.onChange, account.ending);
  const [isFormOpen, setFormOpen] = useState(false);

  // Also closes the form when the sign-in came from elsewhere: a tab of the tour, or another tab of the browser.
  const isSignedIn = signIn !== null;
  useEffect(() => {
    if (isSignedIn) setFormOpen(false);
  }, [isSignedIn]);

  return (
    <header className="skald-bar">
      <span className="skald-name">Skald</span>
      <span className="skald-who" role="status" data-testid="who">
        {signIn ? (
          <>
            <span className="skald-roomy">Signed in as </span>
            <strong>{signIn.user?.username ?? '…'}</strong>
          </>
        ) : (
          (ending ?? 'Not signed in')
        )}
      </span>
      <span className="skald-actions">
        {children}
        {signIn ? (
          <button type="button" onClick={() => account.signOut()}>
            Sign out
          </button>
        ) : (
          <button type="button" aria-expanded={isFormOpen} onClick={() => setFormOpen(!isFormOpen)}>
            Sign in
          </button>
        )}
      </span>
      {isFormOpen && !signIn && <SignInForm account={account} onClose={() => setFormOpen(false)} />}
    </header>
  );
}

function SignInForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const [isNew, setNew] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const firstField = useRef<HTMLInputElement>(null);
  const title = useId();
  useEffect(() => firstField.current?.focus(), [isNew]);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    const text = (name: string) => String(values.get(name) ?? '').trim();
    const password = String(values.get('password') ?? '');
    const input = isNew
      ? { username: text('username'), email: text('email'), password }
      : { login: text('login'), password };
    setBusy(true);
    setProblem(null);
    try {
      const result = await account.post(isNew ? registerDocument : loginDocument, { input });
      if (!account.adopt(result)) setProblem(firstMessage(result));
    } catch {
      setProblem('The server could not be reached. Try again in a moment.');
    }
    setBusy(false);
  }

  return (
    <form
      className="skald-form"
      aria-labelledby={title}
      onSubmit={(event) => void submit(event)}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <strong id={title} className="skald-visually-hidden">
        {isNew ? 'Make an account' : 'Sign in'}
      </strong>
      {isNew ? (
        <>
          <label>
            Username
            <input ref={firstField} name="username" autoComplete="username" autoCapitalize="none" required />
          </label>
          <label>
            E-mail
            <input name="email" type="email" autoComplete="email" required />
          </label>
        </>
      ) : (
        <label>
          Username or e-mail
          <input ref={firstField} name="login" autoComplete="username" autoCapitalize="none" required />
        </label>
      )}
      <label>
        Password
        <input name="password" type="password" autoComplete={isNew ? 'new-password' : 'current-password'} required />
      </label>
      <button type="submit" className="skald-primary" disabled={isBusy}>
        {isNew ? 'Make account' : 'Sign in'}
      </button>
      <button type="button" className="skald-link" onClick={() => setNew(!isNew)}>
        {isNew ? 'I have an account' : 'I am new here'}
      </button>
      {problem && (
        <p role="alert" className="skald-problem">
          {problem}
        </p>
      )}
    </form>
  );
}

function firstMessage(result: unknown): string {
  const answer = result as {
    errors?: { message?: string }[];
    data?: Record<string, { errors?: { message?: string }[] } | null> | null;
  } | null;
  const inPayload = Object.values(answer?.data ?? {}).flatMap((value) => value?.errors ?? []);
  return [...inPayload, ...(answer?.errors ?? [])][0]?.message ?? 'The server gave an answer this page does not know.';
}
