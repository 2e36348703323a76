import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { advice } from '../../lab/advice.ts';
import type { FaultName } from '../../lab/fault.ts';
import { type MenuChoice, menuText, readMenu } from '../../lab/menu.ts';
import { statusText } from '../ask/status-text.ts';
import { announceLab } from '../running-lab.ts';
import { lineOf } from '../serve/terminal-log.ts';
import { LabConsole } from './lab-console.ts';
import { LabLog } from './lab-log.ts';
import { type LabSite, startLabSite } from './lab-site.ts';

export interface LabOptions {
  port: number;
  adminPort: number;
  controlPort: number;
  json?: boolean;
}

const REGISTRIES = ['harbor', 'gcr'] as const;
type RegistryName = (typeof REGISTRIES)[number];

/** The lab from its start to the last signal; `run` resolves when all of it has stopped. */
export class LabSession {
  readonly #options: LabOptions;
  readonly #console: LabConsole;
  readonly #log: LabLog;
  /** Lines of the start, until it is known whether anybody needs them. Undefined: lines are shown at once. */
  #held: string[] | undefined = [];
  readonly #ended = Promise.withResolvers<void>();
  /** Menu choices in the order in which they were typed. */
  #chain: Promise<void> = Promise.resolve();
  #site: LabSite | undefined;

  constructor(options: LabOptions) {
    this.#options = options;
    this.#console = new LabConsole(
      (line) => this.#typed(line),
      () => this.#ended.resolve(),
    );
    this.#log = new LabLog((line) =>
      options.json ? process.stdout.write(`${line}\n`) : this.#show(lineOf(JSON.parse(line))),
    );
  }

  async run(): Promise<void> {
    const stop = () => this.#ended.resolve();
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    const { port: https, adminPort: admin, controlPort: control } = this.#options;
    try {
      this.#site = await startLabSite({
        ports: { https, admin, control },
        log: this.#log,
        onTaken: (taken) => this.#say(`port ${taken} is taken; any free one is used instead`),
        onSwitch: (registry, fault, on) => this.#switched(registry, fault, on),
      });
      this.#held = undefined;
      const removeFile = announceLab(`http://127.0.0.1:${this.#site.app.addresses().admin.port}`);
      process.once('exit', () => removeFile?.());
      this.#greet(this.#site);
      await this.#ended.promise;
      this.#console.close();
      this.#say('stopping; a second signal stops at once');
      for (const again of ['SIGTERM', 'SIGINT'] as const) process.on(again, () => process.exit(1));
      await this.#site.stop();
    } catch (error) {
      for (const line of this.#held ?? []) this.#console.print(line);
      throw error;
    } finally {
      this.#console.close();
    }
  }

  #greet(site: LabSite): void {
    const { https, admin } = site.app.addresses();
    const control = site.control.url;
    const commands = threeCommands(https.port, site.control.port);
    const { harbor, gcr } = site.registries;
    if (this.#options.json) {
      const registries = { harbor: harbor.url, gcr: gcr.url };
      const addresses = { https: `127.0.0.1:${https.port}`, admin: `127.0.0.1:${admin.port}`, control };
      this.#log.logger.info({ ...addresses, registries, commands, pid: process.pid }, 'listening');
      return;
    }
    this.#console.print(
      [
        '',
        `Breakwater serves https://localhost:${https.port} (library/hello, library/big).`,
        `  harbor  ${harbor.url}  pulls and pushes      gcr  ${gcr.url}  fallback for pulls`,
        `  status  http://localhost:${admin.port}/     switches  ${control}`,
        '',
        'Pull, push, and freeze the primary; then pull and push again:',
        '',
        ...commands.map((command) => `  ${command}`),
        '',
        menuText(REGISTRIES),
        '',
      ].join('\n'),
    );
  }

  #typed(line: string): void {
    const choice = readMenu(line, REGISTRIES);
    this.#chain = this.#chain.then(() => this.#choose(choice)).catch((error: unknown) => this.#say(String(error)));
  }

  async #choose(choice: MenuChoice): Promise<void> {
    if (choice.kind === 'nothing') return;
    if (choice.kind === 'mistake') return this.#say(choice.message);
    if (choice.kind === 'word') return this.#obey(choice.word);
    if (!this.#site) return this.#say('not yet: the lab is still starting');
    const { registry, fault, on, parameters } = choice;
    const { faults } = this.#site.registries[registry as RegistryName];
    if (on && fault) await faults.on(fault, parameters);
    else await faults.off(fault);
    this.#switched(registry, fault, on);
  }

  #obey(word: 'status' | 'help' | 'quit'): void {
    if (word === 'quit') this.#ended.resolve();
    else if (word === 'help') this.#say(menuText(REGISTRIES));
    else this.#say(this.#site ? siteStatus(this.#site) : 'not yet: the lab is still starting');
  }

  #switched(registry: string, fault: FaultName | undefined, on: boolean): void {
    const side = registry === 'harbor' ? 'primary' : 'fallback';
    this.#say(`${registry}: ${fault ?? 'everything'} is ${on ? 'ON' : 'off'}. ${advice(fault, on, side)}`);
  }

  /** A line of the edge's log. */
  #show(line: string | undefined): void {
    if (line === undefined) return;
    if (this.#held) this.#held.push(line);
    else this.#console.print(line);
  }

  #say(text: string): void {
    if (this.#options.json) this.#log.logger.info({ lab: text }, 'lab');
    else this.#console.print(text);
  }
}

/** Pull, push, freeze. */
function threeCommands(edge: number, control: number): string[] {
  const layout = join(tmpdir(), 'breakwater-lab');
  return [
    `skopeo --insecure-policy copy --src-tls-verify=false docker://localhost:${edge}/library/hello:latest oci:${layout}:hello`,
    `skopeo --insecure-policy copy --dest-tls-verify=false oci:${layout}:hello docker://localhost:${edge}/library/mine:latest`,
    `curl -X POST http://localhost:${control}/harbor/frozen`,
  ];
}

function siteStatus({ app, registries }: LabSite): string {
  const faults = Object.entries(registries).map(
    ([
      name,
      {
        faults: { active },
        writes,
      },
    ]) => {
      const on = active.map(({ name: fault, hits }) => `${fault} (${hits} hit)`).join(', ');
      return `  ${name}: ${on || 'no fault'}; ${writes} writes`;
    },
  );
  return `${statusText(app.status(), Date.now())}\nSwitches\n${faults.join('\n')}`;
}
