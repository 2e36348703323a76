/** Programs whose files are read. */
export const PROGRAMS = [
  'docker',
  'containerd',
  'podman',
  'cri-o',
  'buildkit',
  'k3s',
  'gitlab-runner',
  'kubernetes',
] as const;

export type Program = (typeof PROGRAMS)[number];

/** The versions for which a rule holds: from one on, before another one. */
export interface VersionRange {
  from?: string;
  before?: string;
}

export type Versions = Partial<Record<Program, string>>;

/** The numbers of a version, such as [2, 1, 0] for `v2.1.0-rc.1` or Debian's `5:2.1.0-1~deb12`; undefined if it has none. */
export function versionNumbers(text: string): number[] | undefined {
  const found = /^(?:\d+:)?v?(\d+(?:\.\d+){0,3})(?![\d.])/.exec(text.trim());
  return found?.[1]?.split('.').map(Number);
}

export function isInRange(version: string, range: VersionRange): boolean {
  if (range.from !== undefined && compare(version, range.from) < 0) return false;
  return range.before === undefined || compare(version, range.before) < 0;
}

function compare(a: string, b: string): number {
  const [left, right] = [versionNumbers(a) ?? [], versionNumbers(b) ?? []];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `2.0 and newer`, `before 2.1`, `2.0 to before 2.3`, `all`. */
export function rangeText({ from, before }: VersionRange): string {
  if (from !== undefined && before !== undefined) return `${from} to before ${before}`;
  if (from !== undefined) return `${from} and newer`;
  return before === undefined ? 'all' : `before ${before}`;
}
