import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { command, type Finished, tryCommand } from '../../helpers/command.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';

const root = join(import.meta.dirname, '../../..');
export const CHART = join(root, 'deploy/kubernetes/breakwater');
export const EXAMPLES = ['site', 'node-mirror'] as const;

/** For tap's `skip`, of tests in network namespaces. */
export function missingForPods(...names: string[]): string | false {
  return missing(...names) || (process.getuid?.() !== 0 && 'only root can make network namespaces');
}

export interface Probe {
  httpGet: { path: string; port: string | number; host?: string };
}

export interface Container {
  image: string;
  imagePullPolicy: string;
  env: { name: string; value: string }[];
  ports: { name: string; containerPort: number }[];
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
}

export interface ProjectedSource {
  secret?: { name: string; items: { key: string; path: string }[] };
  configMap?: { name: string; items: { key: string; path: string }[] };
}

export interface PodSpec {
  terminationGracePeriodSeconds: number;
  containers: [Container];
  volumes: { name: string; projected: { sources: ProjectedSource[] } }[];
}

/** A manifest, as far as tests look at it. */
export interface Manifest {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  data?: Record<string, string>;
  spec: {
    replicas?: number;
    minAvailable?: number;
    ports?: { name: string; port: number }[];
    policyTypes?: string[];
    endpoints?: { port: string; authorization: { credentials: { name: string; key: string } } }[];
    template: { metadata: { annotations: Record<string, string> }; spec: PodSpec };
  };
}

/** Runs `helm`. It reads and writes nothing of the user's. */
export function helm(owner: Owner, ...args: string[]): Promise<Finished> {
  return tryCommand(tool('helm'), args, { env: { PATH: process.env.PATH, HOME: temporaryFolder(owner) } });
}

/** Runs `helm template`. @param values replace those of the example */
export function template(owner: Owner, example: string | undefined, values: object = {}): Promise<Finished> {
  const file = join(temporaryFolder(owner), 'values.yaml');
  writeFileSync(file, stringify(values));
  const base = example === undefined ? [] : ['--values', join(CHART, 'examples', `${example}.yaml`)];
  return helm(owner, 'template', 'breakwater', CHART, ...base, '--values', file);
}

/** The manifests of a chart that must render. */
export async function render(owner: Owner, example: string | undefined, values: object = {}): Promise<string> {
  const { status, stdout, output } = await template(owner, example, values);
  if (status !== 0) throw new Error(output);
  return stdout;
}

export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => document.toJS() ?? []);
}

export function manifestOf(text: string, kind: string, name = 'breakwater'): Manifest {
  const found = manifestsIn(text).find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

export interface Verdict {
  kind: string;
  name: string;
  level?: string;
  errors: string[];
}

/** What an API server would say, or with `--static` the kubelet. */
export async function validate(owner: Owner, text: string, ...args: string[]): Promise<Verdict[]> {
  const file = join(temporaryFolder(owner), 'manifests.yaml');
  writeFileSync(file, text);
  // Its exit status is 1 if it refuses one.
  const line = '"$@" <"$0" || [ $? -eq 1 ]';
  const { stdout } = await command('sh', ['-c', line, file, tool('validator'), ...args]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((verdict) => JSON.parse(verdict));
}
