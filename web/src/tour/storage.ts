// Where GraphiQL keeps its tabs. It would also keep the text of the active tab a second time, and when the two differ
// after a reload (the page was closed between two writes) it opens an extra tab. Here the tabs are the only truth:
// the text of the active tab is read from them.
import type { TourStep } from './tour';

const prefix = 'graphiql:';
const tabsKey = `${prefix}tabState`;

interface StoredTabs {
  tabs: { query: string | null; variables: string | null }[];
  activeTabIndex: number;
}

export class TabStorage {
  private closed = false;

  constructor(
    private readonly storage: Storage,
    private readonly firstStep: TourStep,
  ) {}

  get length(): number {
    return Object.keys(this.storage).filter((key) => key.startsWith(prefix)).length;
  }

  getItem(key: string): string | null {
    if (key !== `${prefix}query` && key !== `${prefix}variables`) return this.storage.getItem(key);
    const stored = this.tabs();
    const active = stored
      ? stored.tabs[stored.activeTabIndex]
      : { query: this.firstStep.query, variables: variablesText(this.firstStep) };
    return (key === `${prefix}query` ? active?.query : active?.variables) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.closed || key === `${prefix}query` || key === `${prefix}variables`) return;
    this.storage.setItem(key, value);
  }

  removeItem(key: string): void {
    this.storage.removeItem(key);
  }

  /** Removes what GraphiQL keeps and nothing else: the sign-in lives in the same storage. */
  clear(): void {
    for (const key of Object.keys(this.storage)) if (key.startsWith(prefix)) this.storage.removeItem(key);
  }

  /** Forgets the tabs, also those that GraphiQL is about to write, so that the next load opens the tour anew. */
  forgetTabs(): void {
    this.closed = true;
    this.storage.removeItem(tabsKey);
  }

  private tabs(): StoredTabs | null {
    try {
      const stored = JSON.parse(this.storage.getItem(tabsKey) ?? 'null') as StoredTabs | null;
      return stored && Array.isArray(stored.tabs) && stored.tabs.length > 0 ? stored : null;
    } catch {
      return null;
    }
  }
}

export function variablesText(step: TourStep): string {
  return JSON.stringify(step.variables, null, 2);
}
