import type { Located } from './document.ts';
import { FILE_KINDS, type FileKind, kindOfContent, kindOfPath, kindOfToml, mayBeManifest } from './file-kind.ts';
import type { Finding } from './finding.ts';
import { ParseFailure } from './parse-failure.ts';
import { parseJson } from './parse-json.ts';
import { parseToml } from './parse-toml.ts';
import { parseYaml } from './parse-yaml.ts';
import { isInRange, rangeText, type Versions } from './program-version.ts';
import type { Hit, LintContext, ParsedFile, Rule } from './rule.ts';
import { LINT_RULES } from './rule-list.ts';
import { authVariables } from './rules/gitlab-runner.ts';
import { secretJson, secretsOf } from './rules/kubernetes-objects.ts';

/** A file as it was read. */
export interface SourceFile {
  path: string;
  text: string;
  /** Omitted: its path and content tell it. */
  kind?: FileKind;
}

export interface LintOptions {
  /** Names of the edge, `host` or `host:port`. */
  edges: readonly string[];
  /** Hosts of the upstreams behind the edge. */
  upstreamHosts: readonly string[];
  versions: Versions;
  /** Milliseconds since 1970. */
  now: number;
  /** Whether a file is there; undefined if that was not looked at. */
  exists: (path: string) => boolean | undefined;
}

/** Findings of one rule in one file. A file with more has the same mistake all over. */
const MAX_HITS = 50;

/** What would go wrong with these files, in the order of files and lines. */
export function lintFiles(sources: readonly SourceFile[], options: LintOptions): Finding[] {
  const findings: Finding[] = [];
  const files: ParsedFile[] = [];
  for (const source of sources) {
    try {
      files.push(...parsed(source));
    } catch (error) {
      if (!(error instanceof ParseFailure)) throw error;
      findings.push(brokenFinding(source, error));
    }
  }
  const context: LintContext = { ...options, files };
  for (const rule of LINT_RULES) {
    if (!mayApply(rule, options.versions)) continue;
    for (const file of files) if (rule.kinds.includes(file.kind)) findings.push(...apply(rule, file, context));
  }
  return findings.sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.rule, b.rule) || compare(a.subject, b.subject),
  );
}

/** What a file is; undefined if it is none of those that are read. */
export function kindOfSource({ path, text, kind }: SourceFile): FileKind | undefined {
  if (kind) return kind;
  const byPath = kindOfPath(path);
  if (byPath) return byPath;
  if (/\.toml$/.test(path)) return kindOfToml(text);
  return mayBeManifest(path) ? kindOfContent(text) : undefined;
}

function mayApply(rule: Rule, versions: Versions): boolean {
  const version = versions[rule.program];
  if (rule.versions === undefined) return true;
  return version === undefined ? rule.onlyIfVersionKnown !== true : isInRange(version, rule.versions);
}

function apply(rule: Rule, file: ParsedFile, context: LintContext): Finding[] {
  const { name, effect, program, happens, remedy, source } = rule;
  const known = context.versions[program] !== undefined;
  return bounded(rule.find(file, context)).map(({ line, subject }) => ({
    rule: name,
    effect,
    file: file.path,
    line,
    program,
    ...(subject === undefined ? {} : { subject }),
    happens,
    remedy,
    ...(rule.versions ? { versions: rangeText(rule.versions), versionKnown: known } : {}),
    source,
  }));
}

function bounded(hits: readonly Hit[]): Hit[] {
  const last = hits[MAX_HITS - 1];
  if (hits.length <= MAX_HITS || !last) return [...hits];
  return [...hits.slice(0, MAX_HITS - 1), { line: last.line, subject: `this and ${hits.length - MAX_HITS} more` }];
}

/** A file, and the docker configurations inside it. @throws ParseFailure */
function parsed(source: SourceFile): ParsedFile[] {
  const kind = kindOfSource(source);
  if (kind === undefined) return [];
  const file: ParsedFile = { path: source.path, kind, text: source.text, documents: documentsOf(source, kind) };
  return [file, ...inner(file)];
}

function documentsOf({ path, text }: SourceFile, kind: FileKind): Located[] {
  const { format } = FILE_KINDS[kind];
  const plain = text.replace(/^\uFEFF/, '');
  if (format === 'text') return [];
  if (format === 'toml') return [parseToml(plain)];
  // JSON is YAML too, but its own parser says better what is wrong.
  if (format === 'yaml' && !path.endsWith('.json')) return parseYaml(plain);
  // An empty file of docker is as good as none.
  return plain.trim() === '' ? [] : [parseJson(plain)];
}

function inner(file: ParsedFile): ParsedFile[] {
  const texts =
    file.kind === 'gitlab-runner'
      ? authVariables(file)
      : file.kind === 'kubernetes'
        ? secretsOf(file).flatMap(({ node }) => secretJson(node) ?? [])
        : [];
  return texts.flatMap(({ text, line }) => {
    try {
      const documents = [parseJson(text, line)];
      const inside = file.kind === 'kubernetes' ? 'secret' : 'variable';
      return [{ path: file.path, kind: 'docker-auth' as const, documents, text: '', inside }];
    } catch {
      // Rules of the outer file tell it.
      return [];
    }
  });
}

// What is known of programs that meet a file which they cannot parse. Each was read in the sources that the rules name.
const BROKEN: Partial<Record<FileKind, string>> = {
  'docker-daemon': 'dockerd does not start.',
  'docker-auth': 'docker only warns, and pulls without a user.',
  'containerd-config': 'containerd does not start.',
  'containerd-hosts': 'containerd only logs it, ignores the file, and asks the registry itself.',
  'registries-conf': 'Every pull fails, of any image.',
  policy: 'Every pull fails, of any image.',
};

function brokenFinding(source: SourceFile, { line, message }: ParseFailure): Finding {
  const kind = kindOfSource(source);
  const format = kind ? FILE_KINDS[kind].format.toUpperCase() : '';
  const effect = (kind && BROKEN[kind]) ?? 'The program cannot read the file.';
  return {
    rule: 'file-broken',
    effect: 'broken',
    file: source.path,
    line,
    happens: `This is no ${format}: ${message}. ${effect}`,
    remedy: 'Correct this line, or the one before it.',
  };
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
