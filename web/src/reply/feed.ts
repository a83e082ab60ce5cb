// The replies seen in the results of subscriptions, and which of them the panel shows: the last one that moved.
import { applyEvent, newDraft, readEvent, type Draft, type Effect } from './draft';

export class ReplyFeed {
  private readonly drafts = new Map<string, Draft>();
  private shown: Draft | null = null;
  private watchers = 0;
  /** Replies and channels of which a delta has come in the subscription that runs now. */
  private begun = new Set<string>();
  private readonly listeners = new Set<() => void>();

  current = (): Draft | null => this.shown;
  isWatched = (): boolean => this.watchers > 0;

  onChange = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** A subscription starts; the result is to be called when it ends. */
  begin(): () => void {
    this.watchers += 1;
    this.begun = new Set();
    this.notify();
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.watchers -= 1;
      this.notify();
    };
  }

  /** Takes the data of one result of a subscription. */
  take(data: unknown): Effect {
    if (typeof data !== 'object' || data === null) return 'none';
    let worst: Effect = 'none';
    for (const value of Object.values(data)) {
      const read = readEvent(value);
      if (!read) continue;
      const channel = read.event.kind === 'delta' ? `${read.messageId} ${read.event.channel}` : '';
      const before = this.drafts.get(read.messageId) ?? newDraft(read.messageId);
      const [after, effect] = applyEvent(before, read, !this.begun.has(channel));
      if (effect === 'gap') {
        // The reply is read anew from its start, so the first delta may begin anywhere again.
        this.begun.delete(channel);
        worst = 'gap';
        continue;
      }
      this.begun.add(channel);
      this.drafts.set(read.messageId, after);
      this.shown = after;
      if (worst === 'none') worst = effect;
    }
    if (worst !== 'none') this.notify();
    return worst;
  }

  hide(): void {
    this.shown = null;
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
