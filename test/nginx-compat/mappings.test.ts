import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { documentedKeys, jsonSchema } from '../../bin/configuration-docs.ts';

const folder = join(import.meta.dirname, '../../nginx-compat');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const keys = documentedKeys(jsonSchema()).map(({ key }) => key.replaceAll('[]', ''));

/** The words that begin a line which says something of a site, and not how the program runs. */
const KEYWORDS = {
  'haproxy.md': () =>
    [...read('example/haproxy.cfg').matchAll(/^ {4}([a-z-]+)/gm)]
      .map(([, word = '']) => word)
      .filter((word) => !['mode', 'default-server'].includes(word)),
  'apache.md': () => {
    const sites = read('example/apache.conf').split('# The NAS,')[1] ?? '';
    return [...sites.matchAll(/^ {4}([A-Z]\w+)/gm)].map(([, word = '']) => word);
  },
};

for (const [page, keywords] of Object.entries(KEYWORDS)) {
  t.test(`${page} has every keyword of its example`, async (t) => {
    const words = new Set(keywords());
    t.ok(words.size > 8);
    for (const word of words) t.match(read(page), new RegExp(`\`[^\`]*${word}`), word);
  });

  t.test(`every key that ${page} names exists`, async (t) => {
    const rows = [...read(page).matchAll(/^\|[^|]*\|[^|]*\|([^|]*)\|[^|]*\|$/gm)].map(([, here = '']) => here);
    const named = rows.flatMap((here) => [...here.matchAll(/`([a-zA-Z.]+)[:`]/g)]).map(([, key = '']) => key);
    t.ok(named.length > 20);
    for (const key of named)
      t.ok(
        keys.some((one) => one === key || one.endsWith(`.${key.replace('upstreams.NAME.', '')}`)),
        key,
      );
  });
}
