import { readClocks, wallTime } from '../../clock/clock.ts';
import { bounded } from '../../http/boundary.ts';
import { quotable } from '../../http/write-answer.ts';
import { OciError } from '../../oci/error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { clientClaims } from '../request/client-claims.ts';
import type { RequestRecord } from '../request-record.ts';
import { type AuditLine, auditOf } from './audit-line.ts';
import { cut, finish, writeHead } from './end-response.ts';

/**
 * Stage 6: the only place that writes an error, a log line or a metric, and that releases what a failed exchange holds.
 * @param error what a stage threw; undefined if the reply was relayed
 */
export function settle(
  exchange: Exchange,
  context: Uses<'audit' | 'config' | 'log' | 'observer' | 'requests'>,
  error: unknown,
): void {
  const onError = (err: unknown) =>
    context.log.error({ request: exchange.id, err }, 'a request could not be settled inside Breakwater');
  try {
    if (error !== undefined && !(error instanceof ClientGone)) writeError(exchange, context, error);
  } finally {
    if (error !== undefined) exchange.releaseHeld(onError);
    exchange.whenClosed(bounded(() => writeRecord(exchange, context, error), { onError }));
  }
}

function writeError(exchange: Exchange, context: Uses<'log'>, error: unknown): void {
  const known = error instanceof OciError ? error : new OciError('UNKNOWN', 'Breakwater failed; its log has the error');
  if (!(error instanceof OciError))
    context.log.error({ request: exchange.id, err: error }, 'a request failed inside Breakwater');
  const { settle: notes } = exchange.notes;
  notes.code = known.code;
  notes.detail = known.message;
  notes.outcome = outcomeOf(known);
  if (exchange.response.headersSent) {
    cut(exchange);
    return;
  }
  const body = Buffer.from(known.body(exchange.id));
  const described = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const reason = isNews(known) ? known.told(exchange.id) : undefined;
  // crane, oras and regctl show warnings. A reply to HEAD has no other place for the reason.
  const warning =
    reason !== undefined && exchange.method === 'HEAD' ? { warning: `299 - "${quotable(reason)}"` } : undefined;
  const withBody = writeHead(exchange, known.status, { ...described, ...warning, ...known.headers }, reason);
  finish(exchange, withBody ? body : undefined);
}

/** Whether a client cannot know from the status what is wrong. Many show nothing but the status line (ADR 38). */
function isNews({ status }: OciError): boolean {
  return status === 403 || status === 429 || status >= 500;
}

function outcomeOf(error: OciError): RequestRecord['outcome'] {
  if (error.status === 404) return 'absent';
  if (error.status >= 500) return 'failed';
  return error.status === 403 || error.status === 401 || error.status === 429 ? 'refused' : 'invalid';
}

function writeRecord(
  exchange: Exchange,
  context: Uses<'audit' | 'config' | 'observer' | 'requests'>,
  error: unknown,
): void {
  const record = recordOf(exchange, error);
  context.observer.record(record);
  const decided = record.grant !== undefined;
  const bad = record.outcome === 'failed' || record.outcome === 'cut' || record.tag?.action === 'warned' || decided;
  const audit = auditOf(record, exchange.url);
  // Clients log in at each pull.
  const isChange = audit !== undefined && audit.action !== 'login';
  if (context.config.log.requests === 'notable' && !bad && !isChange && !isNotable(record)) return;
  context[audit ? 'audit' : 'requests'][bad ? 'warn' : 'info'](logLine(record, audit), 'request');
}

/** Whether `log.requests: notable` shows the request. */
function isNotable(record: RequestRecord): boolean {
  const { method, outcome, splices, tag, verified, hedges } = record;
  const usual = outcome === 'served' || outcome === 'absent' || outcome === 'aborted';
  return (
    !usual ||
    method === 'DELETE' ||
    splices.length > 0 ||
    tag !== undefined ||
    verified === 'wrong' ||
    hedges.started > 0
  );
}

function recordOf(exchange: Exchange, error: unknown): RequestRecord {
  const { response } = exchange;
  const { parse, authorize, plan, fetch, relay, settle } = exchange.notes;
  const { passedOver: _, ...planned } = plan;
  const { hinted, detail: fetchDetail, ...fetched } = fetch;
  const { isCut, detail: relayDetail, ...relayed } = relay;
  const { outcome, detail: settleDetail, ...settled } = settle;
  const gone = error instanceof ClientGone || (error === undefined && !exchange.finished && !isCut);
  const detail = relayDetail ?? fetchDetail ?? settleDetail;
  const { tried, ...claims } = clientClaims(exchange.headers);
  return {
    id: exchange.id,
    method: exchange.method,
    protocol: exchange.multiplexed ? 'HTTP/2.0' : exchange.request.httpVersion === '1.0' ? 'HTTP/1.0' : 'HTTP/1.1',
    client: exchange.client,
    ...claims,
    ...hinted,
    ...parse,
    ...(authorize.user === undefined && tried !== undefined ? { tried } : {}),
    ...authorize,
    ...planned,
    ...fetched,
    ...relayed,
    ...settled,
    ...(detail === undefined ? {} : { detail }),
    kind: parse.kind ?? 'invalid',
    attempts: exchange.attempts,
    hedges: exchange.hedges,
    splices: exchange.splices,
    status: gone && !response.headersSent ? 499 : response.statusCode,
    outcome: gone ? 'aborted' : isCut ? 'cut' : (outcome ?? relayedOutcome(response.statusCode, exchange)),
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    startedAt: exchange.startedAt,
    firstByteMs: Math.round(exchange.firstByteMs ?? exchange.elapsed()),
    totalMs: Math.round(exchange.elapsed()),
  };
}

/** The outcome of a reply that was relayed to its end. */
function relayedOutcome(status: number, { notes: { plan, relay } }: Exchange): RequestRecord['outcome'] {
  if (status >= 500) return 'failed';
  if (status >= 400) return 'refused';
  const { upstream } = relay;
  const fallback = upstream !== undefined && plan.preferred !== undefined && upstream !== plan.preferred;
  return fallback ? 'fallback' : 'served';
}

/** The record without the fields that only machines read. It has no credentials. */
function logLine(record: RequestRecord, audit: AuditLine | undefined): object {
  const attempts = record.attempts.map(({ url: _, ...attempt }) => attempt);
  const { hedges, splices, ...rest } = record;
  return {
    ...(audit ? { audit } : {}),
    request: {
      ...rest,
      startedAt: Math.round(wallTime(record.startedAt, readClocks())),
      attempts,
      ...(hedges.started + hedges.refused > 0 ? { hedges } : {}),
      ...(splices.length > 0 ? { splices } : {}),
    },
  };
}
