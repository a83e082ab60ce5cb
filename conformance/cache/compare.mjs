// What a cache shows against what a client without one reads.
import { isDeepStrictEqual } from 'node:util';

/** Without what Apollo Client adds. */
export function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([name]) => name !== '__typename');
  return Object.fromEntries(fields.map(([name, inner]) => [name, bare(inner)]));
}

/** The screen and the tree, read afresh; as many messages of the path as the cache shows. */
export async function fresh(player, documents, view) {
  const { id, path } = view.session;
  const last = Math.max(path.nodes.length, 1);
  const { session } = await player.ask(documents.text.screen, { id, last });
  const tree = await player.ask(documents.text.tree, { id });
  const { messages, outline } = tree.session;
  return { session, tree: messages.nodes, outline: outline.nodes };
}

/** The places in which two values differ, with both values. */
export function differences(cached, read, place = '') {
  if (isDeepStrictEqual(cached, read)) return [];
  const isOpen = (value) => value !== null && typeof value === 'object';
  if (!isOpen(cached) || !isOpen(read)) {
    return [`${place || '.'}: cache ${JSON.stringify(cached)}, fresh ${JSON.stringify(read)}`];
  }
  const names = new Set([...Object.keys(cached), ...Object.keys(read)]);
  return [...names].flatMap((name) =>
    differences(cached[name], read[name], `${place}.${cached[name]?.id ?? name}`),
  );
}
