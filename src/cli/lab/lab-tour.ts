import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { coverageText } from '../ask/coverage-text.ts';
import { lineOf } from '../serve/terminal-log.ts';
import { bytesText } from '../text-format.ts';
import type { LabLog } from './lab-log.ts';
import type { LabSite } from './lab-site.ts';
import { errorText, TourClient } from './tour-client.ts';

export interface LabTourOptions {
  site: LabSite;
  log: LabLog;
  print: (text: string) => void;
  /** Milliseconds between two steps, for a person who reads. */
  pause: number;
}

/** What is done and promised. The function resolves with what was seen. @throws Error when it is not what was promised */
type Step = [says: string, run: () => Promise<string[]>];

/** Milliseconds that an upstream may take to change its state, or a copy to be made. */
const CHANGE_MS = 30_000;
/** Share of the large download after which harbor freezes. */
const FREEZE_AT = 0.3;
const COPY_POLL_MS = 100;

/** Shows in a minute what Breakwater does in an outage, and whether it really did. */
export class LabTour {
  readonly #options: LabTourOptions;
  readonly #site: LabSite;
  readonly #client: TourClient;

  constructor(options: LabTourOptions) {
    this.#options = options;
    this.#site = options.site;
    this.#client = new TourClient(options.site.app.addresses().https.port);
  }

  /** Resolves with whether every step did what it promises. All faults are off before it and after it. */
  async run(): Promise<boolean> {
    const steps: Step[] = [
      ['Pull library/hello. All is well, so that harbor serves it.', () => this.#pull('harbor')],
      ['Freeze harbor in the middle of a download. The download resumes on gcr.', () => this.#resume()],
      ['Pull library/hello while harbor is frozen. Gcr serves it.', () => this.#pull('gcr')],
      ['Push while harbor is frozen. Breakwater refuses, and says why.', () => this.#refused()],
      ['Heal harbor, and push again. Harbor takes the push.', () => this.#heal()],
      ['Ask for coverage: what could be pulled if harbor died now?', () => this.#coverage()],
    ];
    const { print, pause } = this.#options;
    let failed = 0;
    print(`A tour in ${steps.length} steps. It begins with all faults off.`);
    try {
      await this.#site.healthy(AbortSignal.timeout(CHANGE_MS));
      for (const [index, [says, run]] of steps.entries()) {
        if (index > 0) await sleep(pause);
        print(`\n${styleText('bold', `${index + 1}/${steps.length}`)} ${says}`);
        if (!(await this.#take(run))) failed += 1;
      }
    } finally {
      await this.#site.registries.harbor.faults.off();
    }
    const result =
      failed === 0 ? `All ${steps.length} steps did what they promise.` : `${failed} of ${steps.length} steps FAILED.`;
    print(`\nThe tour is over. ${result}`);
    return failed === 0;
  }

  async #take(run: Step[1]): Promise<boolean> {
    try {
      const lines = await run();
      this.#tell(`${styleText('green', 'ok')}  ${lines.join('\n    ')}`);
      return true;
    } catch (error) {
      this.#tell(`${styleText('red', 'FAILED')}  ${reasonText(error)}`);
      return false;
    }
  }

  #tell(text: string): void {
    this.#options.print(text.replaceAll(/^/gm, '    '));
  }

  async #pull(from: string): Promise<string[]> {
    const replies = await this.#client.pull('library/hello');
    const upstreams = [...new Set(replies.map(({ upstream }) => upstream))];
    expect(upstreams.join() === from, `it came from ${upstreams.join(' and ')}`);
    const bytes = replies.reduce((sum, { body }) => sum + body.length, 0);
    const warning = replies.find(({ headers }) => headers.warning !== undefined)?.headers.warning;
    return [
      `${bytesText(bytes)} in ${replies.length} requests, digests right, X-Breakwater-Upstream: ${from}`,
      ...(warning === undefined ? [] : [`Warning: ${warning}`]),
    ];
  }

  async #resume(): Promise<string[]> {
    const { faults } = this.#site.registries.harbor;
    const { digest, size } = this.#site.bigBlob;
    await faults.on('slow');
    const logged = this.#options.log.next(
      ({ request }) => request?.reference === digest,
      AbortSignal.timeout(CHANGE_MS * 2),
    );
    // A download that fails leaves this promise behind, and its timeout must not end an interactive lab.
    logged.catch(() => undefined);
    let frozenAt: number | undefined;
    const got = await this.#client.download('library/big', digest, (bytes, upstream) => {
      if (frozenAt !== undefined || bytes < size * FREEZE_AT || upstream !== 'harbor') return;
      frozenAt = bytes;
      void faults.on('frozen');
      this.#tell(`${bytesText(bytes)} of ${bytesText(size)} have come from harbor. Harbor freezes now.`);
    });
    expect(frozenAt !== undefined, `the download came from ${got.upstream} from its beginning`);
    const entry = await logged;
    expect(entry.request?.splices?.[0]?.to === 'gcr', `gcr did not take over: ${lineOf(entry)}`);
    return [
      `All ${bytesText(size)} arrived in one response, and the digest is right.`,
      `The log of the edge says:\n    ${lineOf(entry)}`,
    ];
  }

  async #refused(): Promise<string[]> {
    const refusing = () => this.#site.app.status().upstreams.some(({ pushes }) => pushes?.admitted === false);
    await this.#options.log.until(refusing, AbortSignal.timeout(CHANGE_MS));
    const began = performance.now();
    const reply = await this.#client.push('library/tour');
    expect(reply.status === 403, `the edge answered ${reply.status}`);
    return [`403 after ${Math.round(performance.now() - began)} ms. The client shows:`, errorText(reply)];
  }

  async #heal(): Promise<string[]> {
    const began = performance.now();
    await this.#site.healthy(AbortSignal.timeout(CHANGE_MS));
    const took = ((performance.now() - began) / 1000).toFixed(1);
    const reply = await this.#client.push('library/tour');
    expect(reply.status === 201, `the edge answered ${reply.status}: ${errorText(reply)}`);
    return [
      `Pushes are admitted again after ${took} s.`,
      `201 for library/tour:latest, X-Breakwater-Upstream: ${reply.upstream}`,
    ];
  }

  /** Nothing is logged of a copy that went well, so that the edge is asked until it is there. */
  async #coverage(): Promise<string[]> {
    const { gcr } = this.#site.registries;
    const deadline = performance.now() + CHANGE_MS;
    for (;;) {
      const report = await this.#site.coverage();
      const copied = gcr.store.manifest('example-project/tour', 'latest') !== undefined;
      if (copied && report.verdict === 'covered') return coverageText(report, Date.now()).trimEnd().split('\n');
      expect(performance.now() < deadline, coverageText(report, Date.now()));
      await sleep(COPY_POLL_MS);
    }
  }
}

/** The cause of an AbortError says that time is up. */
function reasonText(error: unknown): string {
  const cause = error instanceof Error && error.name === 'AbortError' ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function expect(met: boolean, otherwise: string): asserts met {
  if (!met) throw new Error(otherwise);
}
