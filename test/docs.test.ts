import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { documentedKeys, jsonSchema } from '../bin/configuration-docs.ts';
import { createProgram } from '../src/cli/main.ts';
import { ERROR_CATALOG } from '../src/oci/error.ts';
import { Metrics } from '../src/status/metrics/metrics.ts';
import { isRelative, markdownFiles, readPage, targetOf } from './helpers/markdown.ts';
import { readSources } from './helpers/source.ts';
import { replicationView } from './replication/made-view.ts';
import { CLIENTS, snapshotOf } from './status/snapshot/views.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const prose = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

t.test('every relative link leads to a file, and to a heading of it', async (t) => {
  let anchors = 0;
  for (const file of markdownFiles()) {
    for (const link of readPage(file).links.filter(isRelative)) {
      const { path, anchor } = targetOf(file, link);
      t.ok(existsSync(join(root, path)), `${file}: ${link}`);
      if (anchor === undefined || !path.endsWith('.md')) continue;
      anchors += 1;
      t.ok(readPage(path).anchors.has(anchor), `${file}: ${link} has its heading`);
    }
  }
  t.ok(anchors > 10, 'anchors were looked at');
});

t.test('no page was left in the middle of a merge', async (t) => {
  for (const file of markdownFiles()) t.notMatch(read(file), /^(<{7}|>{7}) /m, file);
});

t.test('messages that docs/operations.md quotes for the night are messages of the program', async (t) => {
  const text = read('docs/operations.md');
  const rows = text.slice(text.indexOf('## Three in the morning')).matchAll(/^\| ([^|]+) \|/gm);
  const sources = readSources('src').map(({ code }) => code);
  let quoted = 0;
  for (const [, seen = ''] of rows)
    for (const [, message = ''] of seen.matchAll(/"([^"]+)"/g)) {
      quoted += 1;
      // Names of upstreams, and what an ellipsis stands for, are no part of the message.
      const parts = message.split(/…|harbor|gcr|404/).map((part) => part.replace(/^[\s,;:]+|[\s,;:]+$/g, ''));
      for (const part of parts.filter((one) => one.length > 3))
        t.ok(
          sources.some((code) => code.includes(part)),
          `${message}: ${part}`,
        );
    }
  t.ok(quoted > 8, 'messages were looked at');
});

t.test('every file and folder of the checkout that a page names exists', async (t) => {
  let named = 0;
  for (const file of markdownFiles())
    for (const [, path = ''] of read(file).matchAll(/`((?:src|test|bin|bench|config|docs|nginx-compat)\/[\w./-]*)/g)) {
      named += 1;
      t.ok(existsSync(join(root, path)), `${file}: ${path}`);
    }
  t.ok(named > 50, 'paths were looked at');
});

t.test('a name that a page says is in a file is there', async (t) => {
  let named = 0;
  for (const file of markdownFiles())
    for (const [, name = '', path = ''] of read(file).matchAll(/`(\w+)`\s+in\s+`((?:src|test)\/[\w./-]+\.\w+)`/g)) {
      named += 1;
      t.ok(new RegExp(`\\b${name}\\b`).test(read(path)), `${file}: ${name} in ${path}`);
    }
  t.ok(named > 15, 'names were looked at');
});

t.test('docs/glossary.md has 30 words, and README and ARCHITECTURE lead there', async (t) => {
  const words = [...read('docs/glossary.md').matchAll(/^\| \*\*(.+?)\*\* \|/gm)].map(([, word]) => word);
  t.equal(new Set(words).size, 30);
  for (const file of ['README.md', 'ARCHITECTURE.md'])
    t.ok(readPage(file).links.includes('docs/glossary.md'), `${file} links to it`);
});

t.test('docs/request-handling.md tells of every error code with its status, and of no other', async (t) => {
  const text = read('docs/request-handling.md');
  for (const code of Object.keys(ERROR_CATALOG)) t.ok(text.includes(`\`${code}\``), `${code} is told of`);
  const told = new Set([...text.matchAll(/`([A-Z]{3,}(?:_[A-Z]+)*)`/g)].map(([, code = '']) => code));
  for (const code of told)
    if (!['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(code))
      t.ok(code in ERROR_CATALOG, `${code} exists`);
});

t.test('every command is in the README, and every command in the docs exists', async (t) => {
  const commands = createProgram().commands.map((command) => command.name());
  for (const name of commands) t.match(read('README.md'), new RegExp(`breakwater ${name}\\b`), name);
  for (const file of prose) {
    for (const [, name = ''] of read(file).matchAll(/`(?:bin\/)?breakwater ([a-z]+)/g))
      t.ok(commands.includes(name), `${file}: ${name}`);
  }
});

t.test('every option that the docs give to a command exists', async (t) => {
  const options = new Map(
    createProgram().commands.map((command) => [
      command.name(),
      [command, ...command.commands].flatMap(({ options }) => options.map(({ long }) => long)),
    ]),
  );
  for (const file of prose) {
    for (const [, name = '', rest = ''] of read(file).matchAll(/(?:bin\/)?breakwater ([a-z]+)((?: +[^`\n#]+)?)/g)) {
      for (const [option] of rest.matchAll(/--[a-z-]+/g))
        t.ok(options.get(name)?.includes(option), `${file}: breakwater ${name} ${option}`);
    }
  }
});

t.test('every command has help, and none fails to print it', async (t) => {
  for (const command of createProgram().commands.flatMap((one) => [one, ...one.commands])) {
    t.ok(command.description().length > 10, `${command.name()} is described`);
    for (const option of command.options)
      t.ok(option.description.length > 0, `${command.name()} ${option.long} is described`);
  }
});

t.test('configuration keys named in prose exist', async (t) => {
  const keys = documentedKeys(jsonSchema()).map(({ key }) => key.replaceAll('[]', '').replace('upstreams.NAME.', ''));
  const known = new Set(keys.flatMap((key) => [key, key.replace(/^routes\./, ''), key.split('.').at(-1) ?? '']));
  for (const file of prose.filter((name) => name !== 'docs/configuration.md')) {
    for (const [, key = ''] of read(file).matchAll(
      /`((?:probe|deadlines|breaker|redirects|limits|drain|listen|auth|maxInFlight|tls)\.[a-zA-Z.]+)`/g,
    )) {
      t.ok(known.has(key), `${file}: ${key}`);
    }
  }
});

t.test('metrics named in prose exist', async (t) => {
  const metrics = new Metrics({
    snapshot: () => snapshotOf({ replication: replicationView([]) }),
    certificates: () => [],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
  const names = new Set(
    [...(await metrics.text()).matchAll(/^# TYPE (breakwater_\w+)/gm)].map(([, name = '']) => name),
  );
  for (const file of prose) {
    for (const [name] of read(file).matchAll(/\bbreakwater_[a-z_]+\b/g)) t.ok(names.has(name), `${file}: ${name}`);
  }
});
