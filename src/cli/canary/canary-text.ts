import { table } from '../text-format.ts';

/** What became of the canary of one upstream. */
export interface CanaryReport {
  upstream: string;
  image: string;
  /** Whether `probe.canary` names it. */
  configured: boolean;
  result: 'pushed' | 'present' | 'failed';
  message: string;
  remedy?: string | undefined;
}

/** The reports for a terminal, and the lines that the configuration lacks. */
export function canaryText(reports: readonly CanaryReport[]): string {
  const rows = reports.map(({ upstream, image, result, message }) => [
    upstream,
    image,
    result === 'failed' ? `failed: ${message}` : message,
  ]);
  const remedies = reports.flatMap(({ upstream, remedy }) => (remedy ? [`-> ${upstream}: ${remedy}`] : []));
  const unnamed = reports.filter(({ configured, result }) => !configured && result !== 'failed');
  const lines = unnamed.map(({ upstream, image }) => `  ${upstream}: { probe: { canary: "${image}" } }`);
  const advice = lines.length > 0 ? ['', 'Add to the configuration, and reload:', 'upstreams:', ...lines] : [];
  return `${[table(rows), ...remedies, ...advice].join('\n')}\n`;
}
