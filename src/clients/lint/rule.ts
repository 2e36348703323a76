import type { Located } from './document.ts';
import type { FileKind } from './file-kind.ts';
import type { Program, VersionRange, Versions } from './program-version.ts';

/** What goes wrong, in one word. */
export type Effect =
  | 'bypass' // pulls do not go through the edge
  | 'leak' // pulls go to the internet
  | 'wait' // pulls wait long for a host that does not answer
  | 'ca' // a CA is ignored, or certificates are not verified
  | 'credentials' // credentials are lost, or sent to nobody
  | 'clear-text' // credentials or images are sent unencrypted
  | 'removed' // this version of the program does not know it any more, or not yet
  | 'broken'; // the program does not start, or pulls fail

export interface Source {
  /** What was read, such as `containerd 2.4.2, core/remotes/docker/config/hosts.go`. */
  title: string;
  url: string;
  /** When it was read, ISO 8601. */
  date: string;
  /** The program in which it was tried, and what happened. */
  tried?: string;
}

export interface Rule {
  name: string;
  effect: Effect;
  program: Program;
  /** Other programs that read the file in the same way. */
  alsoIn?: string[];
  /** All versions if it is omitted. */
  versions?: VersionRange;
  /** The finding makes sense only if the version is known, because most versions differ. */
  onlyIfVersionKnown?: true;
  kinds: readonly FileKind[];
  /** The key that it looks at. */
  key: string;
  /** What happens, in the present tense. */
  happens: string;
  remedy: string;
  source: Source;
  find: (file: ParsedFile, context: LintContext) => Hit[];
}

/** Where a rule finds something. Neither subject nor line may show a credential. */
export interface Hit {
  line: number;
  /** What it is about, such as `host "https://cr.example.io"`. */
  subject?: string;
}

export interface ParsedFile {
  path: string;
  kind: FileKind;
  /** As many as the file has documents; none for text. */
  documents: Located[];
  text: string;
  /** The file from which it was taken, such as the manifest of a secret. */
  inside?: string;
}

export interface LintContext {
  /** Names of the edge as clients write them; none if they were not told. */
  edges: readonly string[];
  /** Hosts of the upstreams behind the edge. */
  upstreamHosts: readonly string[];
  versions: Versions;
  files: readonly ParsedFile[];
  /** Milliseconds since 1970, for certificates. */
  now: number;
  /** Whether a file is in the tree; undefined if that was not looked at. */
  exists: (path: string) => boolean | undefined;
}
