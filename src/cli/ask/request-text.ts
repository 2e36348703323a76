import { imageName } from '../../oci/reference.ts';
import type { RequestRecord } from '../../proxy/request-record.ts';
import type { ExplainedRequest } from '../../status/explained-request.ts';
import { ago, bytesText, countText, table } from '../text-format.ts';

/** What happened to a request, for a terminal. @param now epoch milliseconds */
export function requestText(request: ExplainedRequest, now: number): string {
  const { id, began, method, protocol, client, agent, trace, attempts } = request;
  const since = `${began.replace(/\.\d+Z$/, 'Z')}, ${ago(now - Date.parse(began))} ago`;
  return [
    `request ${id}: ${method} of ${whatOf(request)} over ${protocol}, at ${since}`,
    `by ${whoOf(request)} from ${client}${agent === undefined ? '' : `, with ${agent}`}`,
    ...(trace === undefined ? [] : [`trace ${trace}`]),
    ...routeLines(request),
    ...(attempts.length > 0 ? [`${attemptsTitle(request)}\n${table(attempts.map(attemptRow))}`] : noAttempts(request)),
    ...furtherLines(request),
    replyLine(request),
    ...(request.detail === undefined ? [] : [`why: ${request.detail}`]),
    ...(request.isShortened ? ['Long texts and lists are cut here. The log has the whole.'] : []),
    '',
  ].join('\n');
}

function whatOf({ kind, repository, reference }: ExplainedRequest): string {
  if (repository === undefined) return kind === 'invalid' ? 'something that the edge could not parse' : `the ${kind}`;
  return `${kind} ${reference === undefined ? repository : imageName(repository, reference)}`;
}

function whoOf({ user, tried, grant, granted }: ExplainedRequest): string {
  const rights = grant === undefined ? '' : ` (token by ${grant} rights${granted ? `: ${granted}` : ''})`;
  if (user !== undefined) return `${user}, whom the edge has checked${rights}`;
  if (tried !== undefined) return `a client that calls itself ${tried}, which the edge has not checked${rights}`;
  return `a client without a name${rights}`;
}

function routeLines({ route, preferred }: ExplainedRequest): string[] {
  if (route === undefined) return [];
  return [`route "${route}"${preferred === undefined ? '' : `, whose first upstream is ${preferred}`}`];
}

function attemptsTitle({ coalesced }: ExplainedRequest): string {
  return coalesced
    ? 'attempts, shared with a request that asked for the same:'
    : 'attempts, in the order in which they ended:';
}

function attemptRow(attempt: RequestRecord['attempts'][number], index: number): string[] {
  const { upstream, url, class: traffic, outcome, reason, status, ms, detail = '' } = attempt;
  const result = [outcome, reason, status].filter((part) => part !== undefined).join(' ');
  return [`  ${index + 1}.`, upstream, url, traffic, `${ms} ms`, result, detail];
}

function noAttempts({ memory, coalesced }: ExplainedRequest): string[] {
  if (memory) return ['no upstream was asked: the manifest was in memory'];
  return [coalesced ? 'another request asked the upstreams for it' : 'no upstream was asked'];
}

/** What happened beside and after the attempts. */
function furtherLines({ hedges, splices, verified, tag, hints }: ExplainedRequest): string[] {
  const { started, won, refused } = hedges;
  const spent = refused > 0 ? `, ${refused} not started because the budget was spent` : '';
  return [
    ...(started + refused > 0 ? [`${countText(started, 'hedge')} started, ${won} won${spent}`] : []),
    ...splices.map(
      ({ from, to, reason, at, ms }) =>
        `at byte ${at}, ${from} failed (${reason}); ${to === undefined ? 'no upstream resumed' : `${to} resumed ${ms} ms later`}`,
    ),
    ...(verified === undefined ? [] : [`digest of the blob: ${verified}`]),
    ...(tag === undefined
      ? []
      : [`tag by the ledger: ${tag.verdict}, ${tag.action}${tag.text ? ` (${tag.text})` : ''}`]),
    ...(hints === undefined
      ? []
      : [`told of ${countText(hints.push, 'push', 'pushes')} and ${countText(hints.delete, 'deletion')}`]),
  ];
}

function replyLine({
  status,
  code,
  outcome,
  upstream,
  bytesIn,
  bytesOut,
  firstByteMs,
  totalMs,
}: ExplainedRequest): string {
  const from = upstream === undefined ? '' : ` from ${upstream}`;
  const reply =
    status === 499 ? 'the client left before a reply' : `reply ${status}${code === undefined ? '' : ` ${code}`}`;
  const times = `first byte after ${firstByteMs} ms, over after ${totalMs} ms`;
  return `${reply}${from}: ${outcome}; ${bytesText(bytesIn)} in, ${bytesText(bytesOut)} out; ${times}`;
}
