import { imageName } from '../../oci/reference.ts';
import type { WaitingView } from '../../replication/coverage/report.ts';
import { type WaitingBetween, waitingCommands, waitingReason } from '../../status/snapshot/waiting-text.ts';
import { table } from '../text-format.ts';

/** Tags that wait for the operator, with the commands to type. */
export function waitingLines(
  { source, target, waitingTags }: WaitingBetween & { waitingTags: readonly WaitingView[] },
  count: number,
  limit: number,
): string[] {
  if (count === 0) return [];
  const shown = waitingTags.slice(0, limit);
  const rows = shown.map((one) => ['  ', imageName(one.repository, one.tag), waitingReason(one, { source, target })]);
  const more = count - shown.length;
  const [first] = shown;
  const image = first === undefined ? 'IMAGE' : imageName(first.repository, first.tag);
  return [
    `  may be newer on ${target} than on ${source}, so they wait for you:`,
    ...(rows.length > 0 ? [table(rows)] : []),
    ...(more > 0 ? [`    and ${more.toLocaleString('en')} more`] : []),
    `    ${waitingCommands(image, { source, target })}`,
  ];
}
