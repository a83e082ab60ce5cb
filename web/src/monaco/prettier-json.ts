// GraphiQL formats variables with Prettier's JavaScript parser and printer: half a megabyte to indent JSON.
// vite.config.js puts this plugin in the place of both; it does the same with `jsonc-parser`,
// which the page carries anyway.
import { applyEdits, format } from 'jsonc-parser';

interface FormattedText {
  text: string;
}

export const parsers = {
  jsonc: {
    astFormat: 'formatted-jsonc',
    parse(text: string): FormattedText {
      const edits = format(text, undefined, { insertSpaces: true, tabSize: 2, eol: '\n' });
      return { text: applyEdits(text, edits) };
    },
    locStart: () => 0,
    locEnd: (node: FormattedText) => node.text.length,
  },
};

export const printers = {
  'formatted-jsonc': {
    print: (path: { node: FormattedText }) => path.node.text,
  },
};
