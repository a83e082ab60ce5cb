// Takes the tour in a real browser, against a running Skald.
//
//   node e2e/tour.mjs URL [--screenshots DIR]
//
// CHROMIUM names another browser than /usr/bin/chromium.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

export const browserPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const patience = 15_000;
/** A reply may take its time. */
const replyPatience = 90_000;
const random = () => Math.random().toString(36).slice(2, 8);

/** @param mock what the test double offers beyond a real server; without it those checks are left out */
export async function takeTour({ url, screenshots, mock }) {
  const origin = new URL(url).origin;
  const totals = { passed: 0, failed: 0 };
  const problems = [];

  const browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
  context.setDefaultTimeout(patience);

  async function openPage(inContext) {
    const page = await inContext.newPage();
    page.on('request', (request) => {
      const { protocol, origin: requested } = new URL(request.url());
      if (protocol !== 'data:' && protocol !== 'blob:' && requested !== origin) problems.push(`asked ${request.url()}`);
    });
    page.on('websocket', (socket) => {
      if (new URL(socket.url()).host !== new URL(url).host) problems.push(`connected to ${socket.url()}`);
    });
    page.on('pageerror', (error) => problems.push(`threw ${error.message}`));
    page.on('console', (message) => {
      // Refused tokens and a server that is away are part of the game: the browser reports both by itself.
      if (message.type() === 'error' && !/status of (401|503)/.test(message.text()))
        problems.push(`logged ${message.text()}`);
    });
    await page.goto(url);
    await ready(page);
    return page;
  }

  const ready = async (page) => {
    await page.locator('.graphiql-query-editor .view-line').first().waitFor();
    await page.locator('.graphiql-execute-button').waitFor();
  };

  async function check(name, work) {
    try {
      await work();
      totals.passed += 1;
      console.log(`ok    ${name}`);
    } catch (error) {
      totals.failed += 1;
      console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).replaceAll('\n', '\n      ')}`);
    }
  }

  function expect(condition, message) {
    if (!condition) throw new Error(message);
  }

  async function picture(page, name) {
    if (!screenshots) return;
    await mkdir(screenshots, { recursive: true });
    await page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  async function openTab(page, step) {
    await page.locator('.graphiql-tab-button', { hasText: new RegExp(`^${step}$`) }).click();
    await page.locator('.graphiql-tab-active', { hasText: step }).waitFor();
  }

  const pressRun = (page) => page.locator('.graphiql-execute-button').click();

  /** Runs a query or mutation by its tab; gives what was sent and what came back. */
  async function run(page, step) {
    await openTab(page, step);
    const answered = page.waitForResponse((response) => {
      const { postDataJSON } = response.request();
      return (
        response.url() === `${origin}/graphql` &&
        response.request().method() === 'POST' &&
        // The page answers this one by itself, with a new token.
        response.status() !== 401 &&
        postDataJSON.call(response.request())?.operationName === step
      );
    });
    await pressRun(page);
    const response = await answered;
    const result = await response.json();
    const { variables } = response.request().postDataJSON();
    expect(!result.errors, `${step}: ${JSON.stringify(result.errors)}`);
    for (const payload of Object.values(result.data)) {
      expect(!payload?.errors?.length, `${step}: ${JSON.stringify(payload?.errors)}`);
    }
    return { variables, data: result.data };
  }

  const shownVariables = (page) =>
    page
      .locator('.graphiql-editor-tool .view-lines')
      .first()
      .innerText()
      .then((text) => text.replaceAll('\u00a0', ' '));

  /** Notes each length the reply's text takes on the screen, from now until it ends. */
  async function noteGrowth(page) {
    await page.evaluate(() => {
      const lengths = [];
      globalThis.replyGrowth = new Promise((resolve) => {
        const look = () => {
          const panel = document.querySelector('[data-testid="reply"]');
          const length = panel?.querySelector('[data-testid="reply-text"]')?.textContent?.length ?? 0;
          if (length > 0 && length !== lengths.at(-1)) lengths.push(length);
          if (/^(COMPLETE|STOPPED|INTERRUPTED|FAILED)$/.test(panel?.dataset.state ?? '')) {
            observer.disconnect();
            resolve(lengths);
          }
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      });
    });
  }

  const panel = (page, id) => page.locator(`[data-testid="reply"][data-message-id="${id}"]`);
  const ended = (page, id, state) =>
    page.locator(`[data-message-id="${id}"][data-state="${state}"]`).waitFor({ timeout: replyPatience });
  const hasText = (page, id, length) =>
    page.waitForFunction(
      ([messageId, least]) =>
        (document.querySelector(`[data-message-id="${messageId}"] [data-testid="reply-text"]`)?.textContent?.length ??
          0) >= least,
      [id, length],
      { timeout: replyPatience },
    );
  const who = (page, text) => page.locator('[data-testid="who"]', { hasText: text }).waitFor();

  const page = await openPage(context);
  let username;
  let sessionId;
  let replyId;
  let swipedId;

  await check('the page opens with a step per tab, not signed in', async () => {
    await who(page, 'Not signed in');
    const titles = await page.getByRole('tab').allInnerTexts();
    expect(titles.length === 12 && titles[0] === 'Register', `tabs: ${titles.join(', ')}`);
    await picture(page, '01-open');
  });

  await check('Register signs the page in', async () => {
    const { data } = await run(page, 'Register');
    ({ username } = data.register.user);
    await who(page, username);
  });

  await check('SignIn works with the same name and password', async () => {
    const { data } = await run(page, 'SignIn');
    expect(data.login.user.username === username, 'another user');
  });

  let personaId;
  await check('CreatePersona is sent as this user, and each run is a new act', async () => {
    const first = await run(page, 'CreatePersona');
    const second = await run(page, 'CreatePersona');
    personaId = second.data.createPersona.persona.id;
    expect(personaId !== first.data.createPersona.persona.id, 'the second run gave the same persona');
    expect(first.variables.input.clientRequestId !== second.variables.input.clientRequestId, 'the same request id');
  });

  await check('CreateCharacter and StartSession: the ids are filled in', async () => {
    const { data } = await run(page, 'CreateCharacter');
    const characterId = data.createCharacter.character.id;
    await openTab(page, 'StartSession');
    expect((await shownVariables(page)).includes(personaId), 'the id of the persona is not on the screen');
    await picture(page, '02-ids-filled-in');
    const started = await run(page, 'StartSession');
    expect(started.variables.input.personaId === personaId, 'another persona');
    expect(started.variables.input.characterIds[0] === characterId, 'another character');
  });

  const ownWords = `I hold up my lantern. "How long is the night," I ask, "at ${random()}?"`;
  await check('edits survive when the ids change', async () => {
    await openTab(page, 'SendMessage');
    await page.locator('.graphiql-editor-tool .view-lines').first().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(
      `{ "input": { "sessionId": "x", "parentId": "x", "content": ${JSON.stringify(ownWords)}, "clientRequestId": "x" } }`,
    );
    // GraphiQL takes over what is typed a moment later; a person is never faster than that, a test is.
    await page.waitForFunction(
      (words) => localStorage.getItem('graphiql:tabState')?.includes(words),
      ownWords.slice(0, 20),
    );
    const { data } = await run(page, 'StartSession');
    sessionId = data.createSession.session.id;
    await openTab(page, 'SendMessage');
    const shown = await shownVariables(page);
    expect(shown.includes(sessionId), `the new session is not filled in: ${shown}`);
  });

  await check('SendMessage answers at once, with a reply to watch', async () => {
    const { variables, data } = await run(page, 'SendMessage');
    replyId = data.sendMessage.reply.id;
    expect(variables.input.sessionId === sessionId, 'another session');
    expect(variables.input.content === ownWords, `not what was typed: ${variables.input.content}`);
  });

  await check('WatchReply: the text grows in the panel', async () => {
    await openTab(page, 'WatchReply');
    await noteGrowth(page);
    await pressRun(page);
    await hasText(page, replyId, 1);
    await picture(page, '03-reply-growing');
    const lengths = await page.evaluate(() => globalThis.replyGrowth);
    expect(lengths.length >= 3, `only these lengths were seen: ${lengths.join(', ')}`);
    expect(lengths.at(-1) > lengths[0], `the text did not grow: ${lengths.join(', ')}`);
    await ended(page, replyId, 'COMPLETE');
    await page.locator('.result-window .view-lines', { hasText: 'ReplyFinished' }).waitFor();
    await picture(page, '04-reply-finished');
  });

  await check('SwipeReply, and a reload in the middle: it replays and finishes', async () => {
    const { variables, data } = await run(page, 'SwipeReply');
    expect(variables.input.messageId === replyId, 'another reply was swiped');
    swipedId = data.regenerateReply.reply.id;
    await openTab(page, 'WatchReply');
    await pressRun(page);
    await hasText(page, swipedId, 20);
    const seen = await panel(page, swipedId).getByTestId('reply-text').innerText();
    await page.reload();
    await ready(page);
    await who(page, username);
    expect((await page.getByRole('tab').count()) === 12, 'the reload changed the tabs');
    expect((await shownVariables(page)).includes(swipedId), 'the id is gone after the reload');
    await pressRun(page);
    await ended(page, swipedId, 'COMPLETE');
    const whole = await panel(page, swipedId).getByTestId('reply-text').innerText();
    expect(whole.startsWith(seen.slice(0, 20)) && whole.length >= seen.length, 'the text is not the one from before');
  });

  await check('SeeAlternatives counts both replies', async () => {
    const { data } = await run(page, 'SeeAlternatives');
    const { count, messageIds } = data.message.alternatives;
    expect(count === 2 && messageIds.includes(replyId) && messageIds.includes(swipedId), JSON.stringify(data));
  });

  await check('SelectMessage goes to the other reply, and back', async () => {
    const first = await run(page, 'SelectMessage');
    expect(first.data.selectMessage.session.head.id === replyId, 'the head is not the first reply');
    const second = await run(page, 'SelectMessage');
    expect(second.data.selectMessage.session.head.id === swipedId, 'the head is not the second reply');
  });

  await check('ReadPath reads the story in order', async () => {
    const { data } = await run(page, 'ReadPath');
    const { nodes } = data.session.path;
    expect(nodes.at(-1).id === swipedId, 'the path does not end at the chosen reply');
    expect(nodes.at(-2).content === ownWords, 'the message is not above the reply');
    await picture(page, '05-path');
  });

  await check('StopReply stops a reply that is being written', async () => {
    const sent = await run(page, 'SendMessage');
    expect(sent.variables.input.parentId === swipedId, 'the message does not answer the chosen reply');
    const { data } = await run(page, 'StopReply');
    expect(data.stopReply.reply.id === sent.data.sendMessage.reply.id, 'another reply');
    if (mock) expect(data.stopReply.reply.status === 'STOPPED', `status ${data.stopReply.reply.status}`);
  });

  await check('Sign out and in again by the bar, and make an account there', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await who(page, 'Not signed in');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await picture(page, '06-sign-in-form');
    await page.getByRole('button', { name: 'I am new here' }).click();
    const newcomer = `bragi_${random()}`;
    const password = `tour-${random()}-${random()}`;
    await page.getByLabel('Username').fill(newcomer);
    await page.getByLabel('E-mail').fill(`${newcomer}@example.com`);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Make account' }).click();
    await who(page, newcomer);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Username or e-mail').fill(newcomer);
    await page.getByLabel('Password').fill(`${password}!`);
    await page.getByRole('button', { name: 'Sign in' }).last().click();
    await page.locator('.skald-problem').waitFor();
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).last().click();
    await who(page, newcomer);
  });

  if (mock) {
    await check('an ended token is renewed once, for two tabs together, and the requests go through', async () => {
      const other = await openPage(context);
      mock.endTokens();
      const before = mock.counts.refreshes;
      await Promise.all([run(page, 'CreatePersona'), run(other, 'CreatePersona')]);
      expect(mock.counts.refreshes === before + 1, `${mock.counts.refreshes - before} renewals`);
      await other.close();
    });

    await check('a subscription whose token ends comes back by itself and finishes', async () => {
      await run(page, 'CreateCharacter');
      await run(page, 'StartSession');
      const { data } = await run(page, 'SendMessage');
      const id = data.sendMessage.reply.id;
      await openTab(page, 'WatchReply');
      await pressRun(page);
      await hasText(page, id, 8);
      const { connections } = mock.counts;
      mock.endTokens();
      await ended(page, id, 'COMPLETE');
      expect(mock.counts.connections > connections, 'there was no second connection');
    });

    await check('a refused renewal signs out and says so', async () => {
      mock.endTokens();
      mock.endSignIns();
      await openTab(page, 'CreatePersona');
      await pressRun(page);
      await who(page, 'This sign-in has ended');
    });

    await check('the page renews by itself before the end, and a server that is away signs nobody out', async () => {
      mock.setTokenLife(4000);
      const renewed = mock.failRenewals(2);
      await run(page, 'SignIn');
      await renewed;
      await who(page, username);
      mock.setTokenLife(15 * 60_000);
    });
  }

  await check('it fits a phone', async () => {
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 },
      deviceScaleFactor: 2,
      colorScheme: 'dark',
      isMobile: true,
      hasTouch: true,
    });
    phone.setDefaultTimeout(patience);
    const small = await openPage(phone);
    await picture(small, '07-phone-open');
    for (const step of ['Register', 'CreatePersona', 'CreateCharacter', 'StartSession']) await run(small, step);
    const { data } = await run(small, 'SendMessage');
    await openTab(small, 'WatchReply');
    await pressRun(small);
    await hasText(small, data.sendMessage.reply.id, 20);
    await picture(small, '08-phone-reply');
    const overflow = await small.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow <= 0, `the page is ${overflow} px wider than the phone`);
    await phone.close();
  });

  await check('dark', async () => {
    const dark = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
    dark.setDefaultTimeout(patience);
    const night = await openPage(dark);
    for (const step of ['Register', 'CreatePersona', 'CreateCharacter', 'StartSession']) await run(night, step);
    const { data } = await run(night, 'SendMessage');
    await openTab(night, 'WatchReply');
    await pressRun(night);
    await hasText(night, data.sendMessage.reply.id, 120);
    await picture(night, '09-dark');
    await dark.close();
  });

  await check('no request left the origin, nothing was thrown, nothing broke the content policy', async () => {
    expect(problems.length === 0, problems.join('\n'));
  });

  await browser.close();
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [url, ...options] = process.argv.slice(2);
  const at = options.indexOf('--screenshots');
  if (!url) {
    console.error('usage: node e2e/tour.mjs URL [--screenshots DIR]');
    process.exit(2);
  }
  const { failed } = await takeTour({ url, screenshots: at >= 0 ? options[at + 1] : undefined });
  process.exit(failed > 0 ? 1 : 0);
}
