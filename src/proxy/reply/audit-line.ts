import type { Logger } from 'pino';
import { imageName } from '../../oci/reference.ts';
import type { RequestRecord } from '../request-record.ts';

/** Who did what, with which result: the field `audit` of a line of the log. Such lines are written at once, at any `log.level`. */
export interface AuditLine {
  /** `change`: by a request past the registry API, such as to Harbor's API. */
  action: 'login' | 'logout' | 'push' | 'delete' | 'accept' | 'reload' | 'change' | 'hook';
  /** `unknown`: the client left before it had the reply. */
  result: 'done' | 'refused' | 'failed' | 'unknown';
  user?: string;
  /** A name that Breakwater has not checked. */
  tried?: string;
  /** Address of the client. */
  client?: string;
  /** What brought Breakwater to do it, where no request did. */
  by?: string;
  /** An image, an upstream, or a path. Reload: nothing. */
  what?: string;
  /** Of a manifest that was pushed. */
  digest?: string;
  upstream?: string;
}

const MAX_PATH = 256;

/** A logger for such lines. @param log silent ones stay silent */
export function auditLogger(log: Logger): Logger {
  return log.child({}, { redact: [], ...(log.isLevelEnabled('fatal') ? { level: 'info' } : {}) });
}

/**
 * What an operator wants to find later: logins, pushes, deletions, and all writes that were refused.
 * @param target of the request; its query may hold secrets
 */
export function auditOf(record: RequestRecord, target: string): AuditLine | undefined {
  const action = actionOf(record);
  if (!action) return undefined;
  const { user, tried, client, repository, reference, digest, upstream } = record;
  const what = repository === undefined ? pathOf(action, target) : nameOf(repository, reference);
  const line = { action, result: resultOf(record), user, tried, client, what, digest, upstream };
  return Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined)) as unknown as AuditLine;
}

function pathOf(action: AuditLine['action'], target: string): string | undefined {
  return action === 'change' ? target.replace(/[?#].*$/s, '').slice(0, MAX_PATH) : undefined;
}

function nameOf(repository: string, reference: string | undefined): string {
  return reference === undefined ? repository : imageName(repository, reference);
}

function actionOf({ kind, method, outcome, upstream }: RequestRecord): AuditLine['action'] | undefined {
  if (kind === 'token') return 'login';
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return undefined;
  if (kind === 'passthrough') return upstream === undefined && outcome !== 'refused' ? undefined : 'change';
  if (kind === 'manifest' || kind === 'blob') return method === 'DELETE' ? 'delete' : 'push';
  // The parts of an upload change nothing that others see, until a manifest is pushed.
  if (outcome !== 'refused') return undefined;
  return kind === 'hook' ? 'hook' : 'push';
}

function resultOf({ outcome }: RequestRecord): AuditLine['result'] {
  if (outcome === 'served' || outcome === 'fallback') return 'done';
  if (outcome === 'refused') return 'refused';
  return outcome === 'aborted' || outcome === 'cut' ? 'unknown' : 'failed';
}
