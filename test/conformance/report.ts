/** What the conformance tool reported of one test. */
export interface Verdict {
  status: string;
  /** Why it failed, without what differs from run to run. */
  words: string;
}

/** Test -> what became of it. The tool gives one name to several tests, so there is a list for each. */
export type Report = ReadonlyMap<string, readonly Verdict[]>;

/** Reads the `junit.xml` that the tool wrote. A tool that could not start writes none, or one without tests. */
export function readReport(xml: string): Report {
  const report = new Map<string, Verdict[]>();
  for (const [, head = '', body = ''] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const name = unescaped(/\bname="([^"]*)"/.exec(head)?.[1] ?? '');
    const status = /\bstatus="([^"]*)"/.exec(head)?.[1] ?? 'unknown';
    const words = steady(unescaped(/<system-out>(.*?)<\/system-out>/s.exec(body)?.[1] ?? ''));
    report.set(name, [...(report.get(name) ?? []), { status, words }]);
  }
  if (report.size === 0) throw new Error('the tool reported no test');
  return report;
}

/** How many tests ended in each way, such as `556 passed, 98 failure, 32 skipped`. */
export function figuresOf(report: Report): string {
  const verdicts = [...report.values()].flat();
  const count = (status: string) => verdicts.filter((one) => one.status === status).length;
  const others = [...new Set(verdicts.map(({ status }) => status))].sort().filter((status) => status !== 'passed');
  return ['passed', ...others].map((status) => `${count(status)} ${status}`).join(', ');
}

/** What became of the tests of one name, each way. Sorted, since the tool runs some tests in any order. */
export interface Difference {
  /** `same`: each test ended as it does directly. Those that fail say other words. `intended`: see `INTENDED`. */
  kind: 'better' | 'worse' | 'same' | 'intended';
  name: string;
  direct: readonly string[];
  edge: readonly string[];
}

/**
 * Tests of a mount that names no repository. The edge makes it an ordinary upload, as the specification allows: a registry would hand out
 * blobs of repositories that the client may not read. Tests of the mounted blob are then left out.
 */
const INTENDED = /\/mount anonymous\//;

/** Every test that the edge changes. It is `better` only if it passes where it fails without the edge. */
export function compareReports(direct: Report, edge: Report): Difference[] {
  return [...new Set([...direct.keys(), ...edge.keys()])]
    .map((name) => difference(name, direct.get(name) ?? [], edge.get(name) ?? []))
    .filter((one) => JSON.stringify(one.direct) !== JSON.stringify(one.edge));
}

function difference(name: string, direct: readonly Verdict[], edge: readonly Verdict[]): Difference {
  const statuses = (verdicts: readonly Verdict[]) => verdicts.map(({ status }) => status).sort();
  const told = (verdicts: readonly Verdict[]) =>
    verdicts.map(({ status, words }) => (words ? `${status}: ${words}` : status)).sort();
  const count = (verdicts: readonly Verdict[], ...wanted: string[]) =>
    verdicts.filter(({ status }) => wanted.includes(status)).length;
  const better =
    direct.length === edge.length &&
    count(edge, 'passed') > count(direct, 'passed') &&
    count(edge, 'skipped') === count(direct, 'skipped');
  const same = JSON.stringify(statuses(direct)) === JSON.stringify(statuses(edge));
  const intended = INTENDED.test(name) && count(edge, 'failure', 'error') <= count(direct, 'failure', 'error');
  const kind = same ? 'same' : better ? 'better' : intended ? 'intended' : 'worse';
  return { kind, name, direct: told(direct), edge: told(edge) };
}

/** Digests, addresses, names of upload sessions and sizes of error messages are other ones each time. */
function steady(text: string): string {
  return text
    .replace(/\bsha(256|512):[0-9a-f]{64,128}/g, 'sha$1:…')
    .replace(/https?:\/\/127\.0\.0\.1:\d+/g, '')
    .replace(/conformance\/[\w-]+-(one|two)\b/g, '$1')
    .replace(/\(request [0-9a-z]+\)/g, '')
    .replace(/\/[0-9a-f]{64}\b/g, '/…')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'ID')
    .trim();
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]+)|#(\d+)|(\w+));/g, (all, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal ? String.fromCodePoint(Number(decimal)) : (ENTITIES[name] ?? all);
  });
}
