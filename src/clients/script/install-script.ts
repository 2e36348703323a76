import type { Generated, GeneratedFile, SharedPart } from '../generate/generated.ts';
import { headerOf } from '../generate/generated.ts';
import { withPart } from '../part/shared-file.ts';
import { MERGE, RUN } from './script-parts.ts';
import { hereDocument, quoted } from './shell-text.ts';

export interface ScriptOptions {
  kind: string;
  /** The edge. */
  host: string;
  version: string | undefined;
}

/**
 * A script for sh that installs the files on a node, and takes them back. It changes nothing if it runs again, replaces no file that
 * something else wrote, and looks at all files before it writes the first one.
 */
export function installScript({ files, notes }: Generated, { kind, host, version }: ScriptOptions): string {
  return [
    '#!/bin/sh',
    `# ${headerOf(kind, host)}`,
    '#',
    '#   sh SCRIPT             installs the files; a second run changes nothing',
    '#   sh SCRIPT uninstall   takes them back',
    '#   sh SCRIPT --force     also replaces files that something else wrote, and keeps a copy',
    '#',
    '# With BREAKWATER_ROOT=/mnt all files are below /mnt, for the image of a machine.',
    ...(notes.length > 0 ? ['#', ...notes.map((note) => `# - ${note}`)] : []),
    'set -e',
    'umask 022',
    `kind=${quoted(kind)}`,
    `major=${quoted(kind === 'containerd' ? ((version ?? '').split('.')[0] ?? '') : '')}`,
    '',
    functionOf(
      'paths',
      files.length === 0 ? ':' : hereDocument(files.map(({ path }) => `${path}\n`).join(''), 'BREAKWATER_PATHS'),
    ),
    switchOf('content', files, (file, index) => hereDocument(textOf(file), `BREAKWATER_${index}`), ':'),
    switchOf(
      'is_secret',
      files.filter(({ secret }) => secret),
      () => 'return 0',
      'return 1',
    ),
    switchOf('is_shared', files.filter(isShared), () => 'return 0', 'return 1'),
    switchOf(
      'own_line',
      files.filter(({ ownLine }) => ownLine !== undefined),
      ({ ownLine = '' }) => `printf '%s\\n' ${quoted(ownLine)}`,
      'return 0',
    ),
    MERGE,
    switchOf('merge', files.filter(isShared), mergeOf, 'return 1'),
    RUN,
  ].join('\n');
}

function textOf({ content }: GeneratedFile): string {
  const text = typeof content === 'string' ? content : withPart(content, undefined);
  return text.endsWith('\n') ? text : `${text}\n`;
}

function isShared({ content }: GeneratedFile): boolean {
  return typeof content !== 'string';
}

/** Shell code that adds the part to the file `$1` of the node, and writes `$2`. */
function mergeOf({ content }: GeneratedFile): string {
  const part = content as SharedPart;
  const [edit] = part.edits;
  if (part.editsByVersion) return `merge_containerd "$1" "$2" ${quoted(Object.keys(part.editsByVersion).join(' '))}`;
  if (part.format === 'json' && part.edits.length === 1 && edit?.how === 'first' && edit.path.length === 1)
    return `merge_list "$1" "$2" ${quoted(edit.path[0] ?? '')} ${quoted(String(edit.value))}`;
  return 'merge_elsewhere "$1"';
}

/** A function of the shell with a case for each file. */
function switchOf(
  name: string,
  files: readonly GeneratedFile[],
  bodyOf: (file: GeneratedFile, index: number) => string,
  otherwise: string,
): string {
  const cases = files.map((file, index) => `${quoted(file.path)})\n${bodyOf(file, index)}\n;;`);
  return functionOf(name, `case $${name === 'merge' ? 3 : 1} in\n${[...cases, `*) ${otherwise} ;;`].join('\n')}\nesac`);
}

function functionOf(name: string, body: string): string {
  return `${name}() {\n${body}\n}`;
}
