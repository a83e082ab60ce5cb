// A normalised cache fed by events is what a fresh read says, whatever happens.
//   node cache-client.mjs URL|PROGRAM [--runs N] [--steps N] [--seed N] [--path P] [--shrink] [--verbose]
// With the path of the program `skald` the test runs servers itself and also kills them.
// Options for trying the test: --deaf EVENT (followers do not apply this kind of event).
import { inspect } from 'node:util';

import fc from 'fast-check';

import { documents, schemaOf } from './cache/documents.mjs';
import { OPERATIONS, mutationOf } from './cache/actor.mjs';
import { Player } from './cache/player.mjs';
import { Server } from './cache/server.mjs';
import { Story } from './cache/story.mjs';

const [place, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = rest.indexOf(`--${name}`);
  return at < 0 ? otherwise : rest[at + 1];
};
if (!place) {
  console.error(
    'usage: cache-client.mjs URL|PROGRAM [--runs N] [--steps N] [--seed N] [--path P] [--shrink]',
  );
  process.exit(2);
}
const runs = Number(option('runs', 100));
const steps = Number(option('steps', 30));
const seed = Number(option('seed', Math.floor(Math.random() * 2 ** 31)));

const WEIGHTS = {
  sendMessage: 6,
  regenerateReply: 6,
  requestReply: 2,
  stopReply: 2,
  editMessage: 4,
  selectMessage: 4,
  deleteMessage: 3,
  restoreMessage: 3,
  updateSession: 2,
  continueReply: 3,
  restoreRevision: 2,
  bookmarkMessage: 2,
  hideMessage: 2,
  retryReply: 2,
  impersonate: 2,
  updateOther: 2,
};

/** A run is a list of steps; what they act on is chosen by numbers when they are done. */
function stepsOf(schema) {
  const names = Object.keys(OPERATIONS).filter((name) => schema.has(`Mutation.${mutationOf(name)}`));
  const weighed = names.map((name) => ({
    weight: WEIGHTS[name] ?? 1,
    arbitrary: fc.constant(name),
  }));
  const operation = fc.oneof(...weighed);
  const picks = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999));
  const step = (kind, more = {}) => fc.record({ kind: fc.constant(kind), picks, ...more });
  const others = fc.array(fc.tuple(operation, picks), { minLength: 2, maxLength: 3 });
  return fc.array(
    fc.oneof(
      { weight: 20, arbitrary: step('act', { operation }) },
      { weight: 3, arbitrary: step('together', { others }) },
      { weight: 2, arbitrary: step('drop') },
      { weight: 3, arbitrary: step('dropAmongDeltas') },
      { weight: 3, arbitrary: step('comeBack') },
      { weight: 1, arbitrary: step('join') },
      { weight: 2, arbitrary: step('glance') },
      { weight: 2, arbitrary: step('settle') },
      { weight: 1, arbitrary: step('restart') },
    ),
    { minLength: Math.ceil(steps / 2), maxLength: steps, size: 'max' },
  );
}

async function main() {
  console.log(`seed ${seed}`);
  const server = new Server(place);
  await server.start();
  const player = new Player(server);
  await player.register();
  const schema = await schemaOf(player);
  const tally = { operations: {}, steps: {}, events: {}, compared: 0, glanced: 0, shelves: 0 };
  const options = { deaf: option('deaf'), verbose: rest.includes('--verbose') };
  const world = { player, documents: documents(), options, tally };
  const property = fc.asyncProperty(stepsOf(schema), async (list) => {
    const story = new Story(world);
    try {
      await story.begin();
      for (const step of list) await story.step(step);
      await story.settle();
    } finally {
      await story.end();
    }
  });
  const outcome = await fc.check(property, {
    numRuns: runs,
    seed,
    path: option('path'),
    endOnFailure: !rest.includes('--shrink'),
  });
  await server.kill();
  console.log(`${outcome.numRuns} runs: ${JSON.stringify(tally)}`);
  if (outcome.failed) {
    console.log(JSON.stringify(outcome.counterexample));
    console.log(`FAIL   ${outcome.errorInstance?.stack ?? inspect(outcome.errorInstance)}`);
    console.log(`again: --seed ${seed} --path ${outcome.counterexamplePath}`);
  }
  console.log(outcome.failed ? '0 passed, 1 failed' : '1 passed, 0 failed');
  process.exit(outcome.failed ? 1 : 0);
}

// A server of ours does not outlive us.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));
await main();
