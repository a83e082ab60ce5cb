// Keeps the tour's variables up to date: when a step has succeeded, the ids it told go into the other tabs,
// and the step itself gets a fresh request id. Renders nothing; it lives inside GraphiQL to reach its tabs.
import { useEffect } from 'react';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import type { Answers } from '../graph/answers';
import { applyTextEdits, idEdits, learn, succeeded, type KnownIds } from './ids';
import { freshRequestId } from './tour';

const storageKey = 'skald:tour';

export function TourKeeper({ answers }: { answers: Answers }) {
  const tabs = useGraphiQL((state) => state.tabs);
  const activeTabIndex = useGraphiQL((state) => state.activeTabIndex);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const { updateActiveTabValues } = useGraphiQLActions();

  useEffect(
    () =>
      answers.listen(({ operationName, result }) => {
        const known = readKnown();
        const next = learn(known, result);
        if (next !== known) localStorage.setItem(storageKey, JSON.stringify(next));
        const finished = succeeded(result) ? operationName : undefined;

        const changes: { variables?: string } = {};
        tabs.forEach((tab, index) => {
          const requestId = tab.title === finished ? freshRequestId() : undefined;
          if (index === activeTabIndex) {
            const model = variableEditor?.getModel();
            if (!variableEditor || !model) return;
            const edits = idEdits(tab.title, model.getValue(), next, requestId);
            if (edits.length === 0) return;
            // As edits, so that the cursor stays where it is and undo still works.
            variableEditor.executeEdits(
              'skald-tour',
              edits.map(({ offset, length, text }) => {
                const start = model.getPositionAt(offset);
                const end = model.getPositionAt(offset + length);
                return {
                  range: {
                    startLineNumber: start.lineNumber,
                    startColumn: start.column,
                    endLineNumber: end.lineNumber,
                    endColumn: end.column,
                  },
                  text,
                };
              }),
            );
            changes.variables = model.getValue();
          } else if (tab.variables) {
            // GraphiQL has no action for tabs that are not open. It reads this field when the tab is opened next,
            // and nothing on the screen shows it before.
            tab.variables = applyTextEdits(tab.variables, idEdits(tab.title, tab.variables, next, requestId));
          }
        });
        // Also writes all tabs to the browser's storage.
        updateActiveTabValues(changes);
      }),
    [answers, tabs, activeTabIndex, variableEditor, updateActiveTabValues],
  );

  return null;
}

function readKnown(): KnownIds {
  try {
    return (JSON.parse(localStorage.getItem(storageKey) ?? '{}') as KnownIds | null) ?? {};
  } catch {
    return {};
  }
}
