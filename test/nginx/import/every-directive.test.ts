import fc from 'fast-check';
import t from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { importSite } from '../../../src/nginx/import/import-site.ts';
import { reportLines } from '../../../src/nginx/import/report.ts';
import { VERDICTS } from '../../../src/nginx/import/verdict-table.ts';
import { everyDirective } from '../../../src/nginx/syntax/directive.ts';
import { parseNginx } from '../../../src/nginx/syntax/parse.ts';
import { NginxSyntaxError } from '../../../src/nginx/syntax/syntax-error.ts';

const fileOf = (name: string) => `/etc/nginx/${name}`;

const argument = fc.constantFrom(
  ...[
    '443',
    'ssl',
    'cr.example.io',
    '/v2/',
    '~',
    '^/v2/(a|b)/(.*)$',
    '/v2/p/$1',
    'last',
    'break',
    'http://up',
    'http://127.0.0.1:5000',
  ],
  ...[
    'http://$x',
    '$x',
    '$request_method',
    '"("',
    '"(a+)+$"',
    '@x',
    '502',
    '404',
    '=',
    'backup',
    'Authorization',
    '"Basic YTpi"',
    'on',
    '""',
  ],
  ...[
    'http://unix:/run/x:',
    'unix:/run/x',
    '[::]:443',
    'up',
    '127.0.0.1:5000',
    '__proto__',
    'constructor',
    '$1',
    '~*.*',
    '10.0.0.0/8',
  ],
);
const name = fc.oneof(
  fc.constantFrom(...Object.keys(VERDICTS)),
  fc.constantFrom('constructor', '__proto__', 'toString', 'x'),
);
const leaf = fc.tuple(name, fc.array(argument, { maxLength: 3 })).map(([one, args]) => `${[one, ...args].join(' ')};`);
const blockName = fc.constantFrom(
  'http',
  'server',
  'location',
  'upstream',
  'map',
  'if',
  'limit_except',
  'stream',
  'split_clients',
  'geo',
);
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc
      .tuple(blockName, fc.array(argument, { maxLength: 3 }), fc.array(tie('tree'), { maxLength: 5 }))
      .map(([one, args, inside]) => `${[one, ...args].join(' ')} {\n${inside.join('\n')}\n}`),
  ),
}));

t.test(
  'whatever a configuration says, each of its directives has a line, and what is written fits the schema',
  async (t) => {
    const property = fc.property(fc.array(tree, { maxLength: 8 }), (parts) => {
      const roots = parseNginx('f', parts.join('\n'));
      const imported = importSite(roots, { fileOf });
      const lines = reportLines(roots, imported);
      t.equal(lines.length, everyDirective(roots).length);
      for (const { text, line } of lines) if (text === '' || line < 1) t.fail('a line says nothing');
      if (!imported.config) return;
      const parsed = configSchema.safeParse(imported.config);
      if (!parsed.success) t.fail(JSON.stringify([parsed.error.issues, imported.config]));
    });
    fc.assert(property, { numRuns: 150 });
  },
);

t.test('the same inside a server of a registry', async (t) => {
  let written = 0;
  const inside = fc.tuple(fc.array(tree, { maxLength: 4 }), fc.array(tree, { maxLength: 4 }));
  const property = fc.property(inside, ([server, location]) => {
    const text = `http { upstream up { server 127.0.0.1:5000; }
      server { listen 443 ssl; server_name cr.example.io; ${server.join('\n')}
        location /v2/ { ${location.join('\n')} proxy_pass http://up; } } }`;
    const roots = parseNginx('f', text);
    const { config } = importSite(roots, { fileOf });
    if (!config) return;
    written++;
    const parsed = configSchema.safeParse(config);
    if (!parsed.success) t.fail(JSON.stringify([parsed.error.issues, config]));
  });
  fc.assert(property, { numRuns: 200 });
  t.ok(written > 100, `${written} configurations were written`);
});

t.test('any text is parsed, or refused with file and line', async (t) => {
  const token = fc.constantFrom(
    'a',
    ';',
    '{',
    '}',
    '"',
    "'",
    '\\',
    '\n',
    '#',
    '$',
    ' ',
    'x_by_lua_block',
    '[[',
    '--',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
      try {
        parseNginx('f', tokens.join(''));
      } catch (error) {
        t.ok(error instanceof NginxSyntaxError && /^f:\d+: /.test(error.message));
      }
    }),
    { numRuns: 300 },
  );
});

t.test('10,000 lines are read in a moment', async (t) => {
  const locations = Array.from(
    { length: 2500 },
    (_, index) => `location /v2/p${index}/ {\nproxy_pass http://127.0.0.1:5000;\n}\n`,
  );
  const text = `server {\nlisten 443 ssl;\nserver_name cr.example.io;\n${locations.join('')}}`;
  const roots = parseNginx('f', text);
  const lines = reportLines(roots, importSite(roots, { fileOf }));
  t.equal(lines.length, 5003);
});
