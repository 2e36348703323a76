import type { Generated, GeneratedFile, Request } from '../../clients/generate/generated.ts';
import { knownVersion } from '../../clients/generate/version.ts';
import { KINDS, type Kind } from '../../clients/kinds.ts';
import { withPart } from '../../clients/part/shared-file.ts';
import { installScript } from '../../clients/script/install-script.ts';
import { nearest } from '../../config/nearest.ts';
import { UsageError } from '../config-path.ts';
import type { ClientOptions } from './client-options.ts';
import { writeNodeFiles, writeScript } from './node-folder.ts';
import { requestedSite } from './requested-site.ts';

/** Writes or prints the files of one kind of client. @throws UsageError */
export async function writeClientFiles(name: string, options: ClientOptions): Promise<void> {
  const kind = kindOf(name);
  const version = versionOf(name, kind, options.clientVersion);
  const { site, notes } = await requestedSite(options);
  if (site.user && !kind.takesUser) {
    const names = Object.keys(KINDS).filter((one) => KINDS[one]?.takesUser);
    throw new UsageError(
      `the files of ${name} hold no credentials: leave out --user, and log in on the node. Kinds that hold them: ${names.join(', ')}.`,
    );
  }
  const request: Request = { site, version, ...imageOf(options.image) };
  const generated = kind.generate(request);
  const all = [...notes, ...generated.notes];
  if (options.script !== undefined) {
    if (options.output !== undefined || options.json)
      throw new UsageError('--script writes one file: leave out --output and --json');
    if (kind.hasNoScript)
      throw new UsageError(`${name} has no install script: write its files with --output, and apply them with kubectl`);
    await writeScript(
      installScript(generated, { kind: name, host: site.host, version }),
      options.script,
      options.force ?? false,
    );
  } else if (options.output !== undefined) {
    const written = await writeNodeFiles(generated.files, options.output, options.force ?? false);
    if (options.json) print({ files: written, notes: all });
    else process.stdout.write(written.map(({ path, done }) => `${done} ${path}\n`).join(''));
  } else if (options.json) print({ files: generated.files.map(shown), notes: all });
  else process.stdout.write(documentOf(generated));
  if (!options.json) for (const note of all) process.stderr.write(`note: ${note}\n`);
}

function kindOf(name: string): Kind {
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (kind) return kind;
  const names = Object.keys(KINDS);
  const similar = nearest(name, names);
  const hint = similar === undefined ? '' : ` Did you mean ${similar}?`;
  throw new UsageError(`no kind of client is called ${JSON.stringify(name)}; known are ${names.join(', ')}.${hint}`);
}

function versionOf(name: string, { versions, needsVersion }: Kind, given: string | undefined): string | undefined {
  const known = `known are ${versions.join(', ')}`;
  if (given === undefined) {
    if (!needsVersion) return undefined;
    throw new UsageError(
      `the files of ${name} differ by version: name it with --client-version (${known}). ${name} --version tells it.`,
    );
  }
  const version = knownVersion(given, versions);
  if (version !== undefined) return version;
  throw new UsageError(`${name} ${JSON.stringify(given)} is not a known version; ${known}`);
}

function imageOf(image: string | undefined): { image?: string } {
  if (image === undefined) return {};
  if (/^[a-z0-9][a-zA-Z0-9._:/@-]{1,500}$/.test(image)) return { image };
  throw new UsageError(`--image ${JSON.stringify(image)} is no image: expected REGISTRY/NAME:TAG`);
}

function shown({ path, secret, content }: GeneratedFile) {
  const text = typeof content === 'string' ? content : withPart(content, undefined);
  return { path, mode: secret ? '0600' : '0644', shared: typeof content !== 'string', content: text };
}

function documentOf({ files }: Generated): string {
  return files
    .map((file) => {
      const { path, shared, content } = shown(file);
      return `### ${path}${shared ? ' (merge this into what is there)' : ''}\n${content}`;
    })
    .join('\n');
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
