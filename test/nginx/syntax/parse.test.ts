import t from 'tap';
import { everyDirective, shownDirective } from '../../../src/nginx/syntax/directive.ts';
import { splitDump } from '../../../src/nginx/syntax/dump.ts';
import { parseNginx } from '../../../src/nginx/syntax/parse.ts';

const simple = (text: string) =>
  everyDirective(parseNginx('f', text)).map(({ name, args, line }) => [line, name, ...args].join('|'));

t.test('words, quotes, escapes, comments and blocks, with their lines', async (t) => {
  const cases: Record<string, string[]> = {
    'a b c;': ['1|a|b|c'],
    'a "b c" \'d\';\ne;': ['1|a|b c|d', '2|e'],
    'a\n  b # c;\n  d;': ['1|a|b|d'],
    'a b#c;': ['1|a|b#c'],
    'a "x\\"y" \'x\\\'y\' \\t;': ['1|a|x"y|x\'y|\t'],
    'a ^/v2/\\d+\\.x$;': ['1|a|^/v2/\\d+\\.x$'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of nginx
    'a x${b}y;': ['1|a|x${b}y'],
    'a { b; c { d e; } }\nf;': ['1|a', '1|b', '1|c', '1|d|e', '2|f'],
    'a "";': ['1|a|'],
    'if ($x ~ "y"){ b; }': ['1|if|($x|~|y|)', '1|b'],
    '\uFEFFa;': ['1|a'],
    'a "b\nc";\nd;': ['1|a|b\nc', '3|d'],
    'a b\\\nc;\nd;': ['1|a|b\\\nc', '3|d'],
    '': [],
    '# only a comment': [],
  };
  for (const [text, expected] of Object.entries(cases)) t.strictSame(simple(text), expected, JSON.stringify(text));
});

t.test('Lua is passed over: braces in its strings and comments do not count', async (t) => {
  const programs = [
    'x = "}"',
    "x = '}\\'}'",
    '-- } comment\n',
    '--[[ } \n } ]] y = 1',
    '--[==[ ]] } ]==] y = 1',
    'x = [[ } ]]',
    't = { a = { } }',
    'x = t[1]',
    '-- to the end of the file',
    'x = "no end\n',
  ];
  for (const program of programs) {
    const isOpen = program.startsWith('-- to');
    const text = `a;\ncontent_by_lua_block { ${program}${isOpen ? '\n' : ''} }\nb;`;
    t.match(
      everyDirective(parseNginx('f', text)).map(({ name }) => name),
      ['a', 'content_by_lua_block', 'b'],
      program,
    );
  }
  t.equal(parseNginx('f', 'x_by_lua_block {\n\n}\nb;')[1]?.line, 4);
});

t.test('a mistake has file, line, what was expected and what to do', async (t) => {
  const cases: [string, RegExp][] = [
    ['a;\nb', /^site.conf:2: the directive "b" does not end; expected ";" or "\{"\. Put a semicolon/],
    ['a;\nb }', /^site.conf:2: the directive "b" does not end/],
    ['a;\n}', /^site.conf:2: found "}" where no block is open\. Remove it/],
    ['a;\n;', /^site.conf:2: found ";" where a directive should begin/],
    ['{', /^site.conf:1: found "\{" where a directive should begin/],
    ['a;\nb {\nc;\n', /^site.conf:2: the block of "b" does not end; expected "}"/],
    ['a "b', /^site.conf:1: the quoted text that begins here does not end\. Close it with "/],
    ['a "b"c;', /^site.conf:1: found "c" right after a quoted text; expected a space/],
    ['a_by_lua_block { x = {', /^site.conf:1: the Lua block that begins here does not end; expected its closing brace/],
    ['a_by_lua_block { --[[', /the Lua block that begins here does not end/],
    ['a { '.repeat(40), /^site.conf:1: more than 32 blocks are open/],
    [`${'x'.repeat(100)}`, /^site.conf:1: the directive "x{60}…" does not end/],
    ['a\\', /does not end/],
  ];
  for (const [text, message] of cases) t.throws(() => parseNginx('site.conf', text), { message });
});

t.test('what nginx -T prints is split into its files', async (t) => {
  const dump = '# configuration file /etc/nginx/nginx.conf:\na;\n\n# configuration file /etc/nginx/b.conf:\nb;\n';
  t.strictSame(
    splitDump(dump)?.map(({ path, text, firstLine }) => [path, text, firstLine]),
    [
      ['/etc/nginx/nginx.conf', 'a;\n', 2],
      ['/etc/nginx/b.conf', 'b;\n', 5],
    ],
  );
  t.equal(splitDump('a;'), undefined);
});

t.test('a directive is shown on one line and without secrets', async (t) => {
  const shown = (text: string) => parseNginx('f', text).map(shownDirective)[0];
  const cases: Record<string, string> = {
    'proxy_set_header Authorization "Basic Y2k6c2VjcmV0";': 'proxy_set_header Authorization ***;',
    'proxy_set_header Authorization $login;': 'proxy_set_header Authorization $login;',
    'proxy_set_header Authorization "";': 'proxy_set_header Authorization "";',
    'set $api_token abc;': 'set $api_token ***;',
    'set $x "Bearer abcdef";': 'set $x Bearer ***;',
    'quay.io "Basic Y2k6c2VjcmV0";': 'quay.io Basic ***;',
    'set $x aGVsbG8gd29ybGQhIHRoaXMgaXMgYSBzZWNyZXQ1;': 'set $x ***;',
    'proxy_pass http://ci:secret@registry.lan;': 'proxy_pass http://***@registry.lan;',
    'secure_link_secret hello;': 'secure_link_secret hello;',
    'a "b\nc";': 'a b?c;',
    'a { b; }': 'a { … };'.slice(0, -1),
  };
  for (const [text, expected] of Object.entries(cases)) t.equal(shown(text), expected, text);
  t.ok((shown(`a ${'b'.repeat(500)};`) ?? '').length < 120);
});
