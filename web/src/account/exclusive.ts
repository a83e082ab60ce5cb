// One at a time across the tabs of this browser.

const leaseLength = 20_000;
const waitStep = 200;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs the work while no other tab runs work of the same name. */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (typeof navigator !== 'undefined' && 'locks' in navigator && navigator.locks) {
    return navigator.locks.request(name, work);
  }
  return withLease(name, work);
}

/**
 * Browsers offer locks to secure pages only, and Skald is also used over plain HTTP in a home network. A lease in
 * `localStorage` is weaker (two tabs may meet in the same millisecond), which is enough: the server forgives a refresh
 * token that is used twice in a moment.
 */
async function withLease<T>(name: string, work: () => Promise<T>): Promise<T> {
  const mine = String(Math.random());
  const holder = () => {
    const [owner, until] = (localStorage.getItem(name) ?? '').split(' ');
    return owner && Number(until) > Date.now() ? owner : undefined;
  };
  const giveUpAt = Date.now() + leaseLength;
  while (holder() && Date.now() < giveUpAt) await pause(waitStep * (0.5 + Math.random()));
  localStorage.setItem(name, `${mine} ${Date.now() + leaseLength}`);
  try {
    return await work();
  } finally {
    if (holder() === mine) localStorage.removeItem(name);
  }
}
