import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

// `node bin/release-versions.ts check [TAG]`: whether every file names the version of package.json; with a tag also whether the tag and the
// changelog do. `prepare VERSION`: writes a new version into all of them. Exit status 1: they differ, with file, line and remedy.

/** A semantic version without build metadata, which container tags cannot have (semver.org, 2.0.0). */
const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const IMAGE = /\bbreakwater:(\d+\.\d+\.\d+[\w.-]*)/g;
const CHART = /^((?:version|appVersion):\s*"?)([^"\s]+)/gm;
const ARGUMENT = /^(ARG VERSION=)(\S+)/gm;

/** Text of files, by path. */
export type Files = Record<string, string>;

/** What names another version than that of package.json, a line for each. */
export function versionFindings(files: Files, tag: string | undefined): string[] {
  const { version } = JSON.parse(files['package.json'] ?? '{}') as { version: string };
  const findings: string[] = [];
  if (!SEMVER.test(version)) findings.push(`package.json: ${version} is no semantic version such as 1.2.3`);
  for (const [file, text] of Object.entries(files))
    for (const { named, line } of versionsIn(file, text))
      if (named !== version)
        findings.push(`${file}:${line}: ${named}, expected ${version}; bin/release prepare ${version} writes it`);
  if (tag === undefined) return findings;
  if (tag !== `v${version}`) findings.push(`tag ${tag}: expected v${version}, the version of package.json`);
  if (!releaseNotes(files['CHANGELOG.md'] ?? '', version))
    findings.push(
      `CHANGELOG.md: no heading "## ${version} (YYYY-MM-DD)" with text; bin/release prepare ${version} writes it`,
    );
  return findings;
}

/** What the changelog says about a version. */
export function releaseNotes(changelog: string, version: string): string | undefined {
  const sections = changelog.split(/^(?=## )/m);
  const section = sections.find(
    (one) => one.startsWith(`## ${version} (`) && /^[^\n]* \(\d{4}-\d\d-\d\d\)\n/.test(one),
  );
  return section?.replace(/^.*\n+/, '').trim() || undefined;
}

/** The files with another version. What was unreleased becomes the version's section. @throws Error for no version, or nothing to release */
export function prepared(files: Files, version: string, day: string): Files {
  if (!SEMVER.test(version)) throw new Error(`${version} is no semantic version such as 1.2.3`);
  const result: Files = {};
  for (const [file, text] of Object.entries(files)) {
    let next = text;
    for (const { start, end } of versionsIn(file, text).reverse())
      next = next.slice(0, start) + version + next.slice(end);
    result[file] = next;
  }
  const changelog = files['CHANGELOG.md'] ?? '';
  if (!releaseNotes(changelog, version)) {
    if (!/^## Unreleased\n+[^#\s]|^## Unreleased\n+### /m.test(changelog))
      throw new Error('CHANGELOG.md: nothing stands under "## Unreleased"; write what users notice');
    result['CHANGELOG.md'] = changelog.replace(/^## Unreleased\n/m, `## Unreleased\n\n## ${version} (${day})\n`);
  }
  return result;
}

interface NamedVersion {
  named: string;
  start: number;
  end: number;
  line: number;
}

function versionsIn(file: string, text: string): NamedVersion[] {
  const found: NamedVersion[] = [];
  const note = (start: number, named: string) =>
    found.push({ named, start, end: start + named.length, line: text.slice(0, start).split('\n').length });
  if (file === 'package.json' || file === 'package-lock.json') {
    // The package itself stands first; in the lock file it stands twice.
    const places = [...text.matchAll(/^( {2}| {6})"version": "([^"]+)"/gm)].slice(0, file === 'package.json' ? 1 : 2);
    for (const { index, 1: indent = '', 2: named = '' } of places)
      note(index + indent.length + '"version": "'.length, named);
    return found;
  }
  // Elsewhere an older version may be told about.
  if (file.endsWith('CHANGELOG.md')) return found;
  for (const { index, 0: all, 1: named = '' } of text.matchAll(IMAGE)) note(index + all.length - named.length, named);
  const others = [
    ...(file.endsWith('Chart.yaml') ? text.matchAll(CHART) : []),
    ...(file === 'Dockerfile' ? text.matchAll(ARGUMENT) : []),
  ];
  for (const { index, 1: before = '', 2: named = '' } of others) note(index + before.length, named);
  return found.sort((a, b) => a.start - b.start);
}

/** Every file that may name a version. */
function readFiles(root: string): Files {
  const fixed = ['package.json', 'package-lock.json', 'CHANGELOG.md', 'README.md', 'Dockerfile', 'docker-compose.yml'];
  const listed = execFileSync('git', ['ls-files', '-z', ...fixed, 'deploy', 'docs/*.md', 'config'], {
    cwd: root,
    encoding: 'utf8',
  });
  const names = listed.split('\0').filter(Boolean);
  return Object.fromEntries(names.map((name) => [name, readFileSync(`${root}/${name}`, 'utf8')]));
}

function main([command, value]: string[]): number {
  const root = new URL('..', import.meta.url).pathname;
  const files = readFiles(root);
  if (command === 'check') {
    const findings = versionFindings(files, value);
    for (const finding of findings) console.error(finding);
    return findings.length > 0 ? 1 : 0;
  }
  if (command === 'notes') {
    const notes = releaseNotes(files['CHANGELOG.md'] ?? '', JSON.parse(files['package.json'] ?? '{}').version);
    console.log(notes ?? 'Not released yet.');
    return notes === undefined ? 1 : 0;
  }
  if (command !== 'prepare' || value === undefined) {
    console.error('usage: node bin/release-versions.ts check [TAG] | prepare VERSION | notes');
    return 2;
  }
  for (const [file, text] of Object.entries(prepared(files, value, new Date().toISOString().slice(0, 10))))
    if (text !== files[file]) {
      writeFileSync(`${root}/${file}`, text);
      console.log(file);
    }
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = main(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
