import type { Command } from 'commander';
import type { Accepted } from '../../proxy/endpoints/accept.ts';
import { countText, table, withShortDigests } from '../text-format.ts';
import { type AdminOptions, showAnswer, withAdminOptions } from './admin-client.ts';

/** Most tags that are shown. `--json` has all of them. */
const MAX_LINES = 20;

export function registerAccept(program: Command): void {
  withAdminOptions(program.command('accept'))
    .argument('<what>', 'an upstream, or an image whose one tag is accepted: harbor, library/app:1.2')
    .description(
      'After an upstream lost content, or where tags wait because the fallback may be newer: take what the upstream shows now as true, and copy it. Needs the admin token. Exit status 1 if content is still missing, or a tag could not be read.',
    )
    .option('--json', 'print JSON')
    .action(async (what: string, options: AdminOptions) => {
      const path = `/api/accept?what=${encodeURIComponent(what)}`;
      const { lost, unread } = await showAnswer<Accepted>(options, path, acceptedText, 'POST');
      if (lost || unread.length > 0) process.exitCode = 1;
    });
}

/** What was accepted, for a terminal. */
export function acceptedText({ upstream, tags, unread, more, waiting, unnamed, lost }: Accepted): string {
  const rows = tags
    .slice(0, MAX_LINES)
    .map(({ image, digest }) => ['', image, digest === null ? 'is not there' : withShortDigests(digest)]);
  const rest = tags.length - rows.length;
  return [
    `${countText(tags.length, 'tag')} accepted as ${upstream} shows ${tags.length === 1 ? 'it' : 'them'} now`,
    ...(rows.length > 0 ? [table(rows)] : []),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    ...(more > 0 ? [`${countText(more, 'further tag')} of the ledger ${more === 1 ? 'is' : 'are'} being read`] : []),
    ...(waiting > 0
      ? [`${countText(waiting, 'tag')} whose copies may be newer ${waiting === 1 ? 'is' : 'are'} copied now`]
      : []),
    ...(unnamed > 0
      ? [
          `${countText(unnamed, 'further tag')} still ${unnamed === 1 ? 'waits' : 'wait'}; accept again after the next comparison, which begins now`,
        ]
      : []),
    ...unread.map((image) => `could not be read, and is as before: ${image}`),
    lost
      ? `${upstream} still misses content; accept its other tags, or all of them with: breakwater accept ${upstream}`
      : `${upstream} misses nothing any more; it is compared and copied again within a minute`,
    '',
  ].join('\n');
}
