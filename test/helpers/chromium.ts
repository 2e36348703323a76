import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { commandLine } from './command-line.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

interface Message {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A real browser without a window, driven by the Chrome DevTools Protocol. */
export class Chromium {
  readonly #socket: WebSocket;
  readonly #width: number;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  #session: string | undefined;
  #sent = 0;

  private constructor(socket: WebSocket, width: number) {
    this.#socket = socket;
    this.#width = width;
    socket.addEventListener('message', ({ data }) => this.#heard(JSON.parse(String(data))));
    const lost = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('chromium has ended'));
    };
    socket.addEventListener('close', lost);
  }

  /** Starts one with an empty tab. @param width of the page in pixels */
  static async start(owner: Owner, width: number): Promise<Chromium> {
    const [file, line] = commandLine(tool('chromium'), [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--disable-dev-shm-usage'],
      // Not a byte leaves this machine.
      ...['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--disable-background-networking'],
      ...['--remote-debugging-port=0', `--user-data-dir=${temporaryFolder(owner)}`, 'about:blank'],
    ]);
    const child = spawn(file, line, { stdio: ['ignore', 'ignore', 'pipe'] });
    owner.teardown(async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
    });
    const socket = new WebSocket(await endpointOf(child));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', reject);
    });
    const browser = new Chromium(socket, width);
    const { targetId } = await browser.#send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.#send('Target.attachToTarget', { targetId, flatten: true });
    browser.#session = String(sessionId);
    const size = { width, height: 200, deviceScaleFactor: 1, mobile: false };
    await browser.#send('Emulation.setDeviceMetricsOverride', size);
    return browser;
  }

  async open(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  /** The text that a person sees. */
  async text(): Promise<string> {
    const { result } = await this.#send('Runtime.evaluate', { expression: 'document.body?.innerText ?? ""' });
    return String((result as { value?: unknown }).value);
  }

  /** The upper part of the page as PNG, down to so many pixels. */
  async picture(height: number): Promise<Buffer> {
    const clip = { x: 0, y: 0, width: this.#width, height, scale: 1 };
    const options = { format: 'png', captureBeyondViewport: true, clip };
    const { data } = await this.#send('Page.captureScreenshot', options);
    return Buffer.from(String(data), 'base64');
  }

  #send(method: string, params: object): Promise<Record<string, unknown>> {
    this.#sent += 1;
    const reply = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(this.#sent, reply);
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id: this.#sent, method, params, ...session }));
    return reply.promise;
  }

  #heard({ id, result, error }: Message): void {
    const reply = this.#waiting.get(id ?? 0);
    this.#waiting.delete(id ?? 0);
    if (error) reply?.reject(new Error(error.message));
    else reply?.resolve(result ?? {});
  }
}

/** The address that it tells on standard error once it can be driven. */
async function endpointOf({ stderr }: ChildProcess): Promise<string> {
  if (!stderr) throw new Error('standard error is not a pipe');
  const seen: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    const [url] = /ws:\/\/\S+/.exec(line) ?? [];
    if (url !== undefined) {
      // What it writes from here on must not fill the pipe.
      stderr.resume();
      return url;
    }
    seen.push(line);
  }
  throw new Error(`chromium ended:\n${seen.join('\n')}`);
}
