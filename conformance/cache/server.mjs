// The server under test: one that runs already, or a process of this test's own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export class Server {
  constructor(place) {
    this.program = place.startsWith('http') ? undefined : place;
    if (!this.program) this.at(place);
  }

  at(url) {
    this.url = url;
    this.socket = url.replace(/^http/, 'ws');
  }

  async start() {
    if (!this.program) return;
    const stdio = ['ignore', 'pipe', 'inherit'];
    this.process = spawn(this.program, ['serve', '--listen', '127.0.0.1:0'], { stdio });
    const child = this.process;
    process.once('exit', () => child.kill('SIGKILL'));
    for await (const line of createInterface({ input: this.process.stdout })) {
      if (!line.startsWith('ready ')) continue;
      this.process.stdout.resume();
      return this.at(`${line.slice('ready '.length)}graphql`);
    }
    throw new Error(`${this.program} did not start`);
  }

  /** Ends it as a power cut would. */
  async kill() {
    if (!this.process) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}
