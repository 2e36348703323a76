import type { ClientSite } from '../client-site.ts';

/** What one kind of client needs. */
export interface Generated {
  files: readonly GeneratedFile[];
  /** What a person has to know, or to do, whole sentences. */
  notes: readonly string[];
}

/** A file of a node. */
export interface GeneratedFile {
  /** Absolute, as on the node. */
  path: string;
  /** It holds a secret, so only its owner may read it. */
  secret?: true;
  /** The one line of a file that can have no comment, by which it is known as ours: an extended regular expression. */
  ownLine?: string;
  /** All of the file, or the part of a file that others write too. */
  content: string | SharedPart;
}

export type FileFormat = 'json' | 'toml' | 'yaml';

/** A part of a file that has content of other people, which stays. */
export interface SharedPart {
  format: FileFormat;
  /** Comment at the top of a new file, where its format has comments. */
  comment: readonly string[];
  edits: readonly Edit[];
  /** Other edits, by the value of the key `version` of the file. Undefined: `edits` are for every file. */
  editsByVersion?: Readonly<Record<string, readonly Edit[]>>;
  /** What must not be in the file. */
  conflicts?: readonly Conflict[];
}

export interface Edit {
  /** Keys from the top of the file; `*` is each entry of a list or map. */
  path: readonly string[];
  value: unknown;
  /**
   * `set`: replaces what is there. `default`: only if nothing is there. `first`: becomes the first entry of a list. `last`: is in a list.
   * `folder`: is among folders with colons between them; another folder there is somebody's choice, and an error. `variable`: `NAME=VALUE` in a list of such, which replaces that of the same name.
   */
  how: 'set' | 'default' | 'folder' | 'first' | 'last' | 'variable';
}

export interface Conflict {
  path: readonly string[];
  /** What is wrong with it, and what to do; follows the name of the key. */
  says: string;
}

/** What a generator is given. */
export interface Request {
  site: ClientSite;
  /** As in the table of kinds, such as `1.7`. Undefined: every known version. */
  version: string | undefined;
  /** An image with sh, for a DaemonSet. */
  image?: string;
}

/** First line of every file that a generator writes. */
export function headerOf(kind: string, host: string): string {
  return `Written by \`breakwater client ${kind}\` for ${host}. Change it there: the next run replaces this file.`;
}

/** The risk of asking the fallback without an edge, for files and messages. */
export function fallbackRisk({ host, fallback }: ClientSite, program: string): string[] {
  return [
    `${fallback?.host} is asked when ${host} does not answer, and also when it answers 404 or refuses.`,
    `Then ${program} gets what ${fallback?.host} has: its tags may be older, deleted images may still be there,`,
    `and the rights are those of ${fallback?.host}. The node needs credentials for it, too.`,
  ];
}

/** A certificate with a line that says whose it is; programs skip what stands before a certificate. */
export function certificateFile(kind: string, host: string, path: string, pem: string | undefined): GeneratedFile[] {
  return pem === undefined ? [] : [{ path, content: `# ${headerOf(kind, host)}\n${pem}` }];
}
