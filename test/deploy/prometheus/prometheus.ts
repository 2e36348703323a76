import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { freePorts } from '../../../bench/proxies/ports.ts';
import { Program } from '../../helpers/program.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';

export const FOLDER = join(import.meta.dirname, '../../../deploy/prometheus');

export interface Alert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: 'pending' | 'firing';
}

/** A real Prometheus with the rules as they are shipped, but for their waiting times (`for`). */
export class Prometheus {
  readonly #program: Program;
  readonly #url: string;
  /** Some of the alerts that have fired, by name. */
  readonly seen = new Map<string, Alert>();

  constructor(program: Program, port: number) {
    this.#program = program;
    this.#url = `http://127.0.0.1:${port}/api/v1`;
  }

  async start(): Promise<void> {
    this.#program.start();
    await until(() => this.#program.running && this.query('1').catch(() => undefined), {
      what: () => `Prometheus: ${this.#program.log()}`,
    });
  }

  /** Values by the text of their labels. */
  async query(expression: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const { result } = (await this.#ask(`query?query=${encodeURIComponent(expression)}`)) as {
      result: { metric: Record<string, string>; value: [number, string] }[] | [number, string];
    };
    if (typeof result[0] === 'number') return [{ metric: {}, value: Number(result[1]) }];
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map(({ metric, value }) => ({
      metric,
      value: Number(value[1]),
    }));
  }

  /** Those that fire now. */
  async firing(): Promise<Alert[]> {
    const { alerts } = (await this.#ask('alerts')) as { alerts: Alert[] };
    const firing = alerts.filter(({ state }) => state === 'firing');
    for (const one of firing) this.seen.set(one.labels.alertname ?? '', one);
    return firing;
  }

  /** Names of all that have fired since the start, also for a moment between two looks. */
  async fired(): Promise<Set<string>> {
    const found = await this.query('count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1h]))');
    return new Set(found.map(({ metric }) => metric.alertname ?? ''));
  }

  /** Waits until each of these alerts has fired since the start. */
  async sees(...names: string[]): Promise<void> {
    let absent = names;
    await until(
      async () => {
        const fired = await this.fired();
        absent = names.filter((name) => !fired.has(name));
        return absent.length === 0;
      },
      { timeout: 20_000, every: 200, what: () => `${absent.join(', ')} to fire` },
    );
  }

  /** Waits for scrapes of every target that begin after now. */
  async scraped(times = 2): Promise<void> {
    const from = Date.now() / 1000;
    await until(
      async () => {
        const counts = await this.query(`count_over_time(up[${Math.ceil(Date.now() / 1000 - from) + 1}s])`);
        return counts.length > 0 && counts.every(({ value }) => value > times);
      },
      { every: 200, what: () => 'scrapes' },
    );
  }

  async #ask(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}`);
    const { data, error } = (await response.json()) as { data?: unknown; error?: string };
    if (!response.ok) throw new Error(`${decodeURIComponent(path)}: ${error}`);
    return data;
  }
}

/**
 * Starts one that listens on 127.0.0.1 only.
 * @param targets addresses of admin listeners by job
 * @param token what the edges have in metricsTokenFile
 */
export async function startPrometheus(
  owner: Owner,
  targets: Readonly<Record<string, readonly string[]>>,
  token: string,
): Promise<Prometheus> {
  const folder = temporaryFolder(owner);
  const rules = await readFile(join(FOLDER, 'breakwater.rules.yml'), 'utf8');
  await writeFile(join(folder, 'breakwater.rules.yml'), rules.replace(/^ +for: .*\n/gm, ''));
  await writeFile(join(folder, 'metrics.token'), `${token}\n`, { mode: 0o600 });
  const { scrape_configs: jobs, ...rest } = parse(await readFile(join(FOLDER, 'scrape.yml'), 'utf8'));
  const configFile = join(folder, 'prometheus.yml');
  await writeFile(
    configFile,
    stringify({
      ...rest,
      global: { evaluation_interval: '500ms' },
      scrape_configs: Object.entries(targets).map(([name, addresses]) => ({
        ...jobs[0],
        job_name: name,
        scrape_interval: '1s',
        static_configs: [{ targets: addresses }],
      })),
    }),
  );
  const [port = 0] = await freePorts(1);
  const args = [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const program = new Program(owner, { command: tool('prometheus'), args, logFile: join(folder, 'log') });
  const prometheus = new Prometheus(program, port);
  await prometheus.start();
  return prometheus;
}
