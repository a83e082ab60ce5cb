// One run: an actor, a few followers, and the accidents that happen to them.
import { Actor } from './actor.mjs';
import { differences, fresh } from './compare.mjs';
import { Follower } from './follower.mjs';
import { Shelf } from './shelf.mjs';

const PATIENCE_MS = 15_000;
const RUNNING = ['PENDING', 'WRITING'];

export class Story {
  constructor({ player, documents, options, tally }) {
    Object.assign(this, { player, documents, options, tally, followers: [] });
  }

  async begin() {
    await this.player.register();
    this.sessionId = await this.player.begin();
    const { player, sessionId, tally } = this;
    this.actor = new Actor({ player, sessionId, tally: tally.operations });
    await this.join('one', { window: 6 });
    await this.join('other', { window: 20 });
    await this.join('quiet', { window: 4, channels: [] });
    this.shelf = new Shelf('shelf', { player, documents: this.documents, deaf: this.options.deaf });
    await this.shelf.paint();
  }

  /** Everybody who watches. */
  devices() {
    return [...this.followers, this.shelf];
  }

  async join(name, { window, channels }) {
    const { player, documents, sessionId } = this;
    const { deaf } = this.options;
    const follower = new Follower(name, { player, documents, sessionId, channels, window, deaf });
    this.followers.push(follower);
    await follower.paint();
    follower.connect();
  }

  /** Does one step of a run. */
  async step({ kind, operation, others, picks }) {
    const follower = this.followers[picks[0] % this.followers.length];
    const devices = this.devices();
    const device = devices[picks[0] % devices.length];
    this.tally.steps[kind] = (this.tally.steps[kind] ?? 0) + 1;
    if (this.options.verbose)
      console.log(new Date().toISOString(), kind, operation ?? others ?? '', picks);
    switch (kind) {
      case 'act':
        return this.actor.act(operation, picks);
      case 'together':
        return Promise.all(others.map(([operation, picks]) => this.actor.act(operation, picks)));
      case 'drop':
        return device.drop();
      case 'dropAmongDeltas':
        follower.dropAfter = 1 + (picks[1] % 12);
        return undefined;
      case 'comeBack':
        return device.connect();
      case 'join':
        return this.replace(follower, picks);
      case 'glance':
        return this.glance();
      case 'restart':
        return this.restart();
      default:
        return this.settle();
    }
  }

  /** A new device comes while the story goes on; an old one goes. */
  async replace(old, [, window, channels]) {
    this.followers = this.followers.filter((follower) => follower !== old);
    await old.close();
    this.check(old);
    const wish = { window: 1 + (window % 20), channels: channels % 3 ? undefined : [] };
    await this.join(`${old.name}'`, wish);
  }

  async restart() {
    const { server } = this.player;
    if (!server.process) return;
    for (const device of this.devices()) device.leave();
    await server.kill();
    await server.start();
    for (const device of this.devices()) device.connect();
  }

  /** While replies run: what is true of a cache soon, without waiting for their end. */
  async glance() {
    for (const follower of this.followers) {
      if (follower.channels?.length === 0) continue;
      follower.dropAfter = undefined;
      follower.connect();
      await this.agree(follower, inFlight);
    }
  }

  /** When all is quiet: every cache is what a fresh read says, to the last field. */
  async settle() {
    await this.actor.rest();
    const { session } = await this.player.ask(
      'query ($id: ID!) { session(id: $id) { sequence runningReplies { id } } }',
      { id: this.sessionId },
    );
    if (session.runningReplies.length)
      throw new Error('a reply runs that the actor knows nothing of');
    for (const follower of this.followers) {
      follower.dropAfter = undefined;
      follower.connect();
      await this.reach(follower, session.sequence);
      const view = follower.view();
      this.compare(follower, view, await fresh(this.player, this.documents, view));
      this.tally.compared += 1;
    }
    await this.settleShelf();
  }

  /** No event tells how far the lists have come: they are true soon. */
  async settleShelf() {
    const { shelf, player, documents } = this;
    shelf.dropAfter = undefined;
    shelf.connect();
    const late = Date.now() + PATIENCE_MS;
    const read = await player.ask(documents.text.shelf);
    while (differences(shelf.view(), read).length && Date.now() < late) {
      await Promise.race([shelf.event(), new Promise((resolve) => setTimeout(resolve, 100))]);
      this.check(shelf);
    }
    this.compare(shelf, shelf.view(), read);
    this.check(shelf);
    this.tally.shelves += 1;
  }

  async reach(follower, sequence) {
    const late = Date.now() + PATIENCE_MS;
    while (!follower.failure && (follower.sequence < sequence || !follower.caughtUp)) {
      await this.next(follower, late, `sequence ${sequence} did not come`);
    }
    this.check(follower);
  }

  async agree(follower, shape) {
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      const view = follower.view();
      const read = await fresh(this.player, this.documents, view);
      const found = differences(shape(view), shape(read));
      if (!found.length) break;
      if (Date.now() > late) this.compare(follower, shape(view), shape(read));
      await Promise.race([follower.event(), new Promise((resolve) => setTimeout(resolve, 100))]);
      this.check(follower);
    }
    this.tally.glanced += 1;
  }

  async next(follower, late, otherwise) {
    let timer;
    const patience = new Promise((_, reject) => {
      const fail = () =>
        reject(new Error(`${follower.name}: ${otherwise}\n${follower.log.slice(-20).join('\n')}`));
      timer = setTimeout(fail, late - Date.now());
    });
    await Promise.race([follower.event(), patience]);
    clearTimeout(timer);
  }

  compare(follower, view, read) {
    const found = differences(view, read);
    if (!found.length) return;
    const log = follower.log.slice(-25).join('\n');
    throw new Error(
      `${follower.name}'s cache is not true:\n${found.join('\n')}\nits last events:\n${log}`,
    );
  }

  check(follower) {
    for (const [kind, count] of Object.entries(follower.seen)) {
      this.tally.events[kind] = (this.tally.events[kind] ?? 0) + count;
    }
    follower.seen = {};
    if (follower.failure) throw new Error(follower.failure);
  }

  async end() {
    await Promise.all(this.devices().map((device) => device?.close()));
    await this.actor?.clear();
  }
}

/** A view without what is told only when a reply ends: its times, and what was paid meanwhile. */
function inFlight(view) {
  const session = { ...view.session, usage: null };
  const nodes = view.session.path.nodes.map((message) => {
    const { generation } = message;
    if (!generation) return message;
    return { ...message, generation: { ...generation, timings: null } };
  });
  // What is being written is in the outline as it was last saved.
  const outline = view.outline.map((node) =>
    RUNNING.includes(node.status) ? { ...node, status: null, excerpt: null } : node,
  );
  return { ...view, outline, session: { ...session, path: { ...view.session.path, nodes } } };
}
