import { useEffect, type ComponentProps } from 'react';
import { GraphiQL } from 'graphiql';
import { useGraphiQL, useGraphiQLActions, useMonaco } from '@graphiql/react';
import { Account } from './account/account';
import { AccountBar } from './account/AccountBar';
import { Answers } from './graph/answers';
import { createFetcher } from './graph/fetcher';
import { Socket } from './graph/socket';
import { ReplyFeed } from './reply/feed';
import { ReplyPanel } from './reply/ReplyPanel';
import { TabStorage, variablesText } from './tour/storage';
import { makeTour } from './tour/tour';
import { TourKeeper } from './tour/TourKeeper';

const endpoint = '/graphql';

// One of each per page, made before React: GraphiQL must get the same objects at every render.
const account = new Account(endpoint);
const socket = new Socket(endpoint, account);
const answers = new Answers();
const replies = new ReplyFeed();
const fetcher = createFetcher({ endpoint, account, socket, answers, replies });

const tour = makeTour();
const firstStep = tour[0];
if (!firstStep) throw new Error('The tour has no steps.');
const tabStorage = new TabStorage(window.localStorage, firstStep);
const tourTabs: ComponentProps<typeof GraphiQL>['defaultTabs'] = tour.map((step) => ({
  query: step.query,
  variables: variablesText(step),
  headers: null,
}));

export function Page() {
  return (
    <>
      <AccountBar account={account}>
        <button type="button" onClick={startOver}>
          Start over
        </button>
      </AccountBar>
      <ReplyPanel feed={replies} socket={socket} />
      <main className="skald-graphiql">
        <GraphiQL
          fetcher={fetcher}
          storage={tabStorage}
          defaultTabs={tourTabs}
          defaultEditorToolsVisibility="variables"
        >
          <GraphiQL.Logo>
            <StepButtons />
          </GraphiQL.Logo>
          <TourKeeper answers={answers} />
          <EditorLooks />
          <IntrospectAgain />
        </GraphiQL>
      </main>
    </>
  );
}

function startOver() {
  if (!window.confirm('Bring the tour back as it was at first? The tabs that are open now will be gone.')) return;
  tabStorage.forgetTabs();
  window.location.reload();
}

/**
 * GraphiQL asks for a font that it would have to bring along; every machine has a good one for code.
 * Lines are wrapped because the tour's comments are meant to be read, on a phone too.
 */
function EditorLooks() {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    if (!monaco) return undefined;
    const fontFamily = 'ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace';
    const isPhone = window.matchMedia('(max-width: 700px)').matches;
    const options = {
      fontFamily,
      fontSize: isPhone ? 13 : 14,
      wordWrap: 'on',
      ...(isPhone && { lineNumbersMinChars: 2, folding: false, glyphMargin: false }),
    };
    const apply = (editor: { updateOptions(options: object): void }) => editor.updateOptions(options);
    monaco.editor.getEditors().forEach(apply);
    const listening = monaco.editor.onDidCreateEditor(apply);
    return () => listening.dispose();
  }, [monaco]);
  return null;
}

/** Twelve tabs do not fit; these two buttons lead through them. */
function StepButtons() {
  const tabCount = useGraphiQL((state) => state.tabs.length);
  const activeTabIndex = useGraphiQL((state) => state.activeTabIndex);
  const { changeTab } = useGraphiQLActions();
  useEffect(() => {
    document.getElementById(`graphiql-session-tab-${activeTabIndex}`)?.scrollIntoView({ block: 'nearest' });
  }, [activeTabIndex]);

  return (
    <span className="skald-steps">
      <button
        type="button"
        aria-label="Previous tab"
        disabled={activeTabIndex === 0}
        onClick={() => changeTab(activeTabIndex - 1)}
      >
        ‹
      </button>
      <span>
        {activeTabIndex + 1}/{tabCount}
      </span>
      <button
        type="button"
        aria-label="Next tab"
        disabled={activeTabIndex >= tabCount - 1}
        onClick={() => changeTab(activeTabIndex + 1)}
      >
        ›
      </button>
    </span>
  );
}

/** A server may show its schema to those who are signed in only. */
function IntrospectAgain() {
  const schema = useGraphiQL((state) => state.schema);
  const { introspect } = useGraphiQLActions();
  useEffect(
    () =>
      account.onIdentityChange(() => {
        if (!schema && account.current()) void introspect();
      }),
    [schema, introspect],
  );
  return null;
}
