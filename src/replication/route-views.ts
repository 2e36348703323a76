import { isoTime } from '../clock/clock.ts';
import type { WaitingTag } from './compare/waiting-tags.ts';
import type { WaitingView } from './coverage/report.ts';
import type { FailureView } from './replication-view.ts';
import type { FailedTask } from './task-queue.ts';

/** @param repository the name that clients use */
export function failureView(
  { task, since, tries, reason, retryable, nextAt }: FailedTask,
  repository: string,
): FailureView {
  return {
    repository,
    reference: task.reference,
    since: isoTime(since),
    tries,
    reason,
    passing: retryable,
    nextTry: retryable ? isoTime(nextAt) : null,
  };
}

/** @param repository the name that clients use */
export function waitingView({ tag, since, why, times }: WaitingTag, repository: string): WaitingView {
  return {
    ...{ repository, tag, why },
    since: isoTime(since),
    primaryAt: registryTime(times.primary),
    copyAt: registryTime(times.copy),
  };
}

/** A time that a registry tells, by its own clock. */
function registryTime(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}

export function isoOrNull(at: number | null | undefined): string | null {
  return at == null ? null : isoTime(at);
}
