import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

// Where `npm run dev` finds a server to talk to; `skald serve` listens here by default.
const server = process.env.SKALD_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  resolve: {
    alias: [
      // By its own package it is imported as a neighbour.
      { find: /^(monaco-graphql\/esm|\.)\/monaco-editor(\.js)?$/, replacement: source('monaco/editor.js') },
      {
        find: /^.*\/(diffEditor\/diffEditorWidget|multiDiffEditor\/multiDiffEditorWidget)\.js$/,
        replacement: source('monaco/no-diff.js'),
      },
      { find: 'prettier/parser-babel', replacement: source('monaco/prettier-json.ts') },
      { find: 'prettier/plugins/estree', replacement: source('monaco/prettier-json.ts') },
    ],
  },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    sourcemap: false,
    // The page is handed on inside the server's binary, and so are the notices of what it is made of.
    license: { fileName: 'assets/licenses.md' },
    // Monaco is one large chunk by nature, and loads while the page already stands.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      onLog(level, log, report) {
        // The libraries of the page are written for servers too and say "use client"; here that means nothing.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  server: { proxy: { '/graphql': { target: server, ws: true } } },
  test: { include: ['src/**/*.test.ts'] },
});
