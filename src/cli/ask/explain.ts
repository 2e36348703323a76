import type { Command } from 'commander';
import { imageName } from '../../oci/reference.ts';
import type { Explanation, LedgerWord } from '../../proxy/endpoints/explain.ts';
import type { ExplanationNow } from '../../proxy/endpoints/explain-now.ts';
import type { ImageLook } from '../../proxy/endpoints/image-looks.ts';
import type { ImageOutlook } from '../../proxy/endpoints/image-outlook.ts';
import type { UserOutlook } from '../../proxy/endpoints/user-outlook.ts';
import type { ExplainedRequest } from '../../status/explained-request.ts';
import { UsageError } from '../config-path.ts';
import { ago, table, withShortDigests } from '../text-format.ts';
import { type AdminOptions, showAnswer, withAdminOptions } from './admin-client.ts';
import { requestText } from './request-text.ts';

interface ExplainOptions extends AdminOptions {
  request?: string;
  user?: string;
}

export function registerExplain(program: Command): void {
  withAdminOptions(program.command('explain'))
    .argument('[image]', 'image by the name that clients use: library/app:1.2')
    .description(
      'Ask every upstream of the route for an image, and show what each says, who would serve a client now, and without the primary. Or show what happened to a request.',
    )
    .option('--user <name>', 'also show what this user would get, as far as the edge knows that without the password')
    .option(
      '--request <id>',
      'one of the last 1,000 requests of the edge; its id is in the log, in X-Request-Id of the reply, and in the message of a server error',
    )
    .option('--json', 'print JSON')
    .action(async (image: string | undefined, { request, user, ...options }: ExplainOptions) => {
      if ((image === undefined) === (request === undefined))
        throw new UsageError('name an image, or a request by --request');
      if (request !== undefined && user !== undefined) throw new UsageError('--user goes with an image');
      if (request !== undefined)
        await showAnswer<ExplainedRequest>(options, `/api/explain?${new URLSearchParams({ request })}`, requestText);
      else if (image !== undefined)
        await showAnswer<ExplanationNow>(
          options,
          `/api/explain?${new URLSearchParams({ image, ask: '1', ...(user === undefined ? {} : { user }) })}`,
          explanationText,
        );
    });
}

/** The explanation for a terminal. @param now epoch milliseconds */
export function explanationText(explanation: Explanation & Partial<ExplanationNow>, now: number): string {
  const { repository, reference, registry, route, ledger, corrupt, lost, pull, push, looks, outlook, user } =
    explanation;
  const where = registry === undefined ? '' : ` of ${registry}`;
  const attempts = pull.map(({ upstream, url, as, why }, index) => [`  ${index + 1}.`, upstream, url, as, why]);
  const pushText = push.admitted ? `push goes to ${push.upstream} as ${push.as} (${push.why})` : push.why;
  return [
    `${imageName(repository, reference)}${where} takes the route "${route}"`,
    ...(ledger === undefined ? [] : [ledgerText(ledger, now)]),
    ...(lost === undefined
      ? []
      : [`${lost}; until then, 404s of it are not believed, and tags that went back are served as before`]),
    ...(corrupt ?? []).map((upstream) => `${upstream} has a corrupt copy, so it is asked last`),
    `pull, in this order:\n${table(attempts)}`,
    pushText,
    ...(looks && outlook ? askedLines(looks, outlook) : ['not asked: the edge is of an earlier release']),
    ...(user === undefined ? [] : userLines(user)),
    '',
  ].join('\n');
}

function askedLines(looks: readonly ImageLook[], { digests, now, withoutPrimary }: ImageOutlook): string[] {
  return [
    `asked now:\n${table(looks.map(lookRow))}`,
    ...[`digests: ${digests}`, `now: ${now}`, `without the primary: ${withoutPrimary}`].map(withShortDigests),
    'Only manifests were asked for. `breakwater coverage` says which copies are complete.',
  ];
}

function lookRow({ upstream, url, as, credentials, says, digest = '', why, ms }: ImageLook): string[] {
  const what = `${says}${digest === '' ? '' : ` ${withShortDigests(digest)}`}`;
  return [
    `  ${upstream}`,
    url,
    withShortDigests(as),
    what,
    `${ms} ms, with ${credentials === 'own' ? "the edge's" : 'no'} credentials: ${why}`,
  ];
}

function userLines({ user, known, unknown }: UserOutlook): string[] {
  return [`user ${user}:`, ...known.map((text) => `  ${text}`), ...unknown.map((text) => `  not known: ${text}`)];
}

function ledgerText({ upstream, digest, since, confirmedAt }: LedgerWord, now: number): string {
  const seen = `confirmed ${ago(now - Date.parse(confirmedAt))} ago`;
  const from = `since ${since.replace(/\.\d+Z$/, 'Z')}`;
  if (digest === null) return `ledger: the tag has been absent on ${upstream} ${from}, ${seen}`;
  return `ledger: the tag has been ${withShortDigests(digest)} on ${upstream} ${from}, ${seen}`;
}
