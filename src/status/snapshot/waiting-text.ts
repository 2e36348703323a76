import type { WaitingView } from '../../replication/coverage/report.ts';

/** Between which upstreams a tag waits. */
export interface WaitingBetween {
  source: string;
  target: string;
}

/** Why a tag waits. */
export function waitingReason({ why, primaryAt, copyAt }: WaitingView, { source, target }: WaitingBetween): string {
  if (why === 'unknown') return `${source} does not have the manifest that ${target} has, and the order is not known`;
  return `${target} got it at ${minute(copyAt)}, ${source} at ${minute(primaryAt)}`;
}

/** The commands by which the operator decides. @param image by the name that clients use */
export function waitingCommands(image: string, { source, target }: WaitingBetween): string {
  return `\`breakwater accept ${image}\` takes the one of ${source}; \`breakwater sync ${target} ${source} --newer\` brings the newer one back`;
}

function minute(iso: string | null): string {
  return iso === null ? 'an unknown time' : `${iso.slice(0, 16)}Z`;
}
