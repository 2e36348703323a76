import { once } from 'node:events';
import { advice } from '../../lab/advice.ts';
import type { FaultName } from '../../lab/fault.ts';
import { type MenuChoice, type MenuWord, menuText, readMenu } from '../../lab/menu.ts';
import { coverageText } from '../ask/coverage-text.ts';
import { statusText } from '../ask/status-text.ts';
import { abortOnSignals } from '../interruption.ts';
import { announceLab } from '../running-lab.ts';
import { lineOf } from '../serve/terminal-log.ts';
import { LabConsole } from './lab-console.ts';
import { commandsFor, greetingText } from './lab-greeting.ts';
import { LabLog } from './lab-log.ts';
import { type LabSite, startLabSite } from './lab-site.ts';
import { LabTour } from './lab-tour.ts';

export interface LabOptions {
  port: number;
  adminPort: number;
  controlPort: number;
  json?: boolean;
  tour?: boolean;
}

const REGISTRIES = ['harbor', 'gcr'] as const;
/** Milliseconds between two steps of the tour. */
const READING_MS = 4000;
type RegistryName = (typeof REGISTRIES)[number];

/** The lab from its start to the last signal; `run` resolves when all of it has stopped. */
export class LabSession {
  readonly #options: LabOptions;
  readonly #over = abortOnSignals(['SIGINT', 'SIGTERM']);
  readonly #console = new LabConsole(
    (line) => this.#typed(line),
    () => this.#over.abort(),
    (text) => this.#print(text),
  );
  readonly #log = new LabLog((line) =>
    this.#options.json ? this.#console.print(line) : this.#show(lineOf(JSON.parse(line))),
  );
  /** Lines of the start, until it is known whether anybody needs them. Undefined: lines are shown at once. */
  #held: string[] | undefined = [];
  /** Menu choices in the order in which they were typed. */
  #chain: Promise<void> = Promise.resolve();
  #site: LabSite | undefined;

  constructor(options: LabOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal } = this.#over;
    const ended = once(signal, 'abort');
    const { port: https, adminPort: admin, controlPort: control } = this.#options;
    try {
      this.#site = await startLabSite({
        ports: { https, admin, control },
        log: this.#log,
        signal,
        onTaken: (taken) => this.#print(`port ${taken} is taken; any free one is used instead`),
        onSwitch: (registry, fault, on) => this.#switched(registry, fault, on),
      });
      this.#held = undefined;
      if (this.#options.tour) {
        const whole = await Promise.race([this.#tour(this.#site), ended]);
        this.#held = [];
        if (whole !== true) process.exitCode = 1;
        // From now on, a signal ends the process at once.
        this.#over.abort();
      } else {
        this.#greet(this.#site);
        await ended;
        this.#console.close();
        this.#print('stopping; a second signal stops at once');
      }
      await this.#site.stop();
    } catch (error) {
      // Told to end while it starts: that is no failure but of a tour.
      if (signal.aborted && !this.#site) {
        process.exitCode = this.#options.tour ? 1 : 0;
        return;
      }
      for (const line of this.#held ?? []) this.#console.print(line);
      throw error;
    } finally {
      await this.#console.finish();
    }
  }

  #greet(site: LabSite): void {
    const { https, admin } = site.app.addresses();
    const removeFile = announceLab(`http://127.0.0.1:${admin.port}`);
    process.once('exit', () => removeFile?.());
    if (!this.#options.json) {
      this.#console.print(greetingText(site, removeFile !== undefined));
      return;
    }
    const registries = { harbor: site.registries.harbor.url, gcr: site.registries.gcr.url };
    const addresses = { https: `127.0.0.1:${https.port}`, admin: `127.0.0.1:${admin.port}`, control: site.control.url };
    const commands = commandsFor(site).flatMap(({ lines }) => lines);
    this.#log.logger.info({ ...addresses, registries, commands, pid: process.pid }, 'listening');
  }

  /** Resolves with whether all went as promised. The log is not shown meanwhile: the tour quotes what matters of it. */
  async #tour(site: LabSite): Promise<boolean> {
    // What fails because the lab stops is of no account.
    const print = (text: string) => this.#over.signal.aborted || this.#print(text);
    const pause = this.#console.interactive ? READING_MS : 0;
    this.#held = [];
    try {
      return await new LabTour({ site, log: this.#log, print, pause }).run();
    } finally {
      this.#held = undefined;
    }
  }

  #typed(line: string): void {
    const choice = readMenu(line, REGISTRIES);
    // It does not wait for a tour to end.
    if (choice.kind === 'word' && choice.word === 'quit') this.#over.abort();
    else
      this.#chain = this.#chain.then(() => this.#choose(choice)).catch((error: unknown) => this.#print(String(error)));
  }

  async #choose(choice: MenuChoice): Promise<void> {
    const site = this.#site;
    if (choice.kind === 'nothing') return;
    if (choice.kind === 'mistake') this.#print(choice.message);
    else if (choice.kind === 'word' && choice.word === 'help') this.#print(menuText(REGISTRIES));
    else if (!site) this.#print('not yet: the lab is still starting');
    else if (choice.kind === 'word') await this.#obey(choice.word, site);
    else {
      const { registry, fault, on, parameters } = choice;
      const { faults } = site.registries[registry as RegistryName];
      if (on && fault) await faults.on(fault, parameters);
      else await faults.off(fault);
      this.#switched(registry, fault, on);
    }
  }

  async #obey(word: MenuWord, site: LabSite): Promise<void> {
    if (word === 'tour') await this.#tour(site);
    else if (word === 'status') this.#print(siteStatus(site));
    else if (word === 'coverage') this.#print(coverageText(await site.coverage(), Date.now()));
  }

  #switched(registry: string, fault: FaultName | undefined, on: boolean): void {
    const side = registry === 'harbor' ? 'primary' : 'fallback';
    this.#print(`${registry}: ${fault ?? 'everything'} is ${on ? 'ON' : 'off'}. ${advice(fault, on, side)}`);
  }

  /** A line of the edge's log. */
  #show(line: string | undefined): void {
    if (line === undefined) return;
    if (this.#held) this.#held.push(line);
    else this.#console.printWrapped(line);
  }

  #print(text: string): void {
    if (this.#options.json) this.#log.logger.info({ lab: text }, 'lab');
    else this.#console.printWrapped(text);
  }
}

function siteStatus({ app, registries }: LabSite): string {
  const faults = Object.entries(registries).map(([name, registry]) => {
    const on = registry.faults.active.map(({ name: fault, hits }) => `${fault} (${hits} hit)`).join(', ');
    return `  ${name}: ${on || 'no fault'}; ${registry.writes} writes`;
  });
  return `${statusText(app.status(), Date.now())}\nSwitches\n${faults.join('\n')}`;
}
