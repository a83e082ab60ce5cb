// Takes the tour against the test double. Part of `npm test`; wants a built page and a Chromium.
import { existsSync } from 'node:fs';
import { startMock } from './mock.mjs';
import { browserPath, takeTour } from './tour.mjs';

if (!existsSync(browserPath)) {
  console.log(`There is no browser at ${browserPath}: the tour is left out.`);
  process.exit(0);
}
if (!existsSync(new URL('../dist/index.html', import.meta.url))) {
  console.error('There is no built page: run `npm run build` first.');
  process.exit(1);
}

const at = process.argv.indexOf('--screenshots');
const mock = await startMock();
const { failed } = await takeTour({ url: mock.url, mock, screenshots: at >= 0 ? process.argv[at + 1] : undefined });
await mock.stop();
process.exit(failed > 0 ? 1 : 0);
