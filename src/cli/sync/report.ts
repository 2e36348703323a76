import type { SyncEnd } from '../../replication/sync/sync.ts';
import type { SyncEvent, SyncImage } from '../../replication/sync/sync-event.ts';
import { ago, bytesText, countText, withShortDigests } from '../text-format.ts';
import type { SyncPlan } from './plan.ts';
import type { SyncTally } from './tally.ts';

export interface SyncReport extends Pick<SyncPlan, 'from' | 'to' | 'dryRun'> {
  /** `failed` if the list of repositories could not be read completely. */
  end: SyncEnd | 'failed';
  /** Whether only newer tags were to be copied. */
  newer: boolean;
  /** Duration in milliseconds. */
  ms: number;
  /** Hints for the operator, a sentence each. */
  notes: string[];
}

const MAX_SHOWN = 50;

/** The line for an event; undefined for events that print none. */
export function eventLine(event: SyncEvent, dryRun: boolean): string | undefined {
  if (event.kind === 'planned' && dryRun)
    return `would copy  ${imageText(event.image)} (${event.image.state === 'differs' ? 'another digest' : 'missing'})`;
  if (event.kind === 'copied') {
    const { image, result, ms } = event;
    const how = result.outcome === 'same' ? 'was already there' : `${bytesText(result.bytes)}, ${secondsText(ms)}`;
    return `copied      ${imageText(image)} (${how})`;
  }
  if (event.kind === 'kept')
    return `kept        ${imageText(event.image)} (${event.reason ?? 'another digest there, not replaced'})`;
  if (event.kind === 'undecided') return `undecided   ${imageText(event.image)} (${event.reason})`;
  if (event.kind !== 'failed') return undefined;
  const { repository, image, reason } = event;
  return `failed      ${image ? imageText(image) : repository.source}: ${withShortDigests(reason)}`;
}

/** The summary, with each image that could not be copied and the reason. */
export function reportText(tally: SyncTally, report: SyncReport): string {
  const { from, to, dryRun } = report;
  const some = (count: number, what: string) => (count > 0 ? [`${count.toLocaleString('en')} ${what}`] : []);
  const parts = [
    `${tally.same.toLocaleString('en')} already there`,
    dryRun ? `${tally.planned.toLocaleString('en')} would be copied` : `${tally.copied.toLocaleString('en')} copied`,
    ...some(tally.kept, `not replaced on ${to}`),
    ...some(tally.undecided, 'undecided'),
    ...some(tally.surplus, `only on ${to}`),
    ...some(tally.failed, 'failed'),
  ];
  const all = `${from} -> ${to}: ${countText(tally.repositories, 'repository', 'repositories')}, images: ${parts.join(', ')}`;
  const lines = [all, ...amountLines(tally, report), ...failureLines(tally), ...verdictLines(tally, report)];
  return `${[...lines, ...report.notes].join('\n')}\n`;
}

function amountLines({ copied, uploaded, blobs }: SyncTally, { ms }: SyncReport): string[] {
  if (copied === 0) return [];
  const rate = `${bytesText(uploaded)} in ${secondsText(ms)}, ${bytesText((uploaded / ms) * 1000)}/s`;
  return [`${rate}; ${countText(blobs.uploaded, 'blob')} sent, ${blobs.mounted.toLocaleString('en')} mounted`];
}

/** Whether the target has every image that the sync was to copy. */
export function isComplete(tally: SyncTally, { dryRun, end }: SyncReport): boolean {
  const missing = dryRun ? tally.planned : tally.left;
  const settled = tally.failed === 0 && tally.undecided === 0 && missing === 0;
  return end === 'done' && settled && tally.same + tally.copied + tally.kept + missing > 0;
}

function failureLines({ failures, failed }: SyncTally): string[] {
  if (failed === 0) return [];
  const shown = failures.slice(0, MAX_SHOWN).map(({ repository, tag, reason }) => {
    const what = repository === undefined ? '' : `${repository}${tag === undefined ? '' : `:${tag}`}: `;
    return `  ${what}${withShortDigests(reason)}`;
  });
  const more = failed - shown.length;
  return [
    'not copied:',
    ...shown,
    ...(more > 0 ? [`  and ${more.toLocaleString('en')} more, in the lines above`] : []),
  ];
}

function verdictLines(tally: SyncTally, { from, end, newer }: SyncReport): string[] {
  const again = 'Run the command again to continue; nothing is copied twice.';
  if (end === 'interrupted') return [`Interrupted. ${again}`];
  if (end === 'gave-up') return [`Stopped, because too many images in a row failed. ${again}`];
  const { same, copied, planned, kept, undecided, failed } = tally;
  if (end === 'done' && failed === 0 && same + copied + planned + kept + undecided === 0)
    return [`Nothing to copy was found on ${from}. Check its storage, and the prefixes and filters.`];
  if (undecided > 0)
    return [
      `Undecided tags were left. To take those of ${from}, name them with --replace, --repository and --tag-filter.`,
    ];
  if (kept > 0 && !newer) return [`Use --replace to take the tags of ${from}.`];
  return [];
}

function imageText({ repository: { source, target }, tag }: SyncImage): string {
  return source === target ? `${source}:${tag}` : `${source}:${tag} -> ${target}:${tag}`;
}

function secondsText(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : ago(ms);
}
