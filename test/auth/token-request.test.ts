import t from 'tap';
import { parseBasic, parseTokenForm, parseTokenQuery } from '../../src/auth/token-request.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const repository = (name: string, ...actions: string[]) => ({ type: 'repository', name, actions });

t.test('Basic credentials', async (t) => {
  const rows: [string, [string, string] | undefined][] = [
    [basic('ann:secret'), ['ann', 'secret']],
    [basic('ann:se:cr:et'), ['ann', 'se:cr:et']],
    [basic('robot$ci:ä€𝄞'), ['robot$ci', 'ä€𝄞']],
    [basic('ann:'), ['ann', '']],
    [basic('ann:secret').replace('Basic', 'bASIC').replace(' ', '   '), ['ann', 'secret']],
    [basic('ann:secret').replace(/=+$/, ''), ['ann', 'secret']],
    [`${basic('ann:secret')} `, ['ann', 'secret']],
    [basic(`${'a'.repeat(255)}:x`), ['a'.repeat(255), 'x']],
    [basic(`_json_key:${'x'.repeat(4000)}`), ['_json_key', 'x'.repeat(4000)]],
    [basic('_json_key:{\r\n\t"type": "service_account"\n}\n'), ['_json_key', '{\r\n\t"type": "service_account"\n}\n']],
    [basic(`${'a'.repeat(256)}:x`), undefined],
    [basic('ann\t:secret'), undefined],
    [basic('ann:sec\x1bret'), undefined],
    [basic(':secret'), undefined],
    [basic('ann'), undefined],
    [basic('ann:sec\0ret'), undefined],
    [basic('ann\r\n:secret'), undefined],
    [basic('ann\x7f:secret'), undefined],
    ['Basic', undefined],
    ['Basic ', undefined],
    ['Basic ====', undefined],
    ['Basic YW5uOnNlY3JldA== x', undefined],
    ['Basic YW5u\u00e4', undefined],
    ['Basic YW5uOnNlY3JldA==, Basic YW5uOnNlY3JldA==', undefined],
    ['Bearer YW5uOnNlY3JldA==', undefined],
    ['ann:secret', undefined],
    ['', undefined],
  ];
  for (const [header, expected] of rows)
    t.strictSame(
      parseBasic(header),
      expected && { kind: 'password', user: expected[0], password: expected[1] },
      header.slice(0, 60),
    );
});

t.test('scopes', async (t) => {
  const rows: [string, unknown][] = [
    ['', []],
    ['scope=', []],
    ['scope=repository:a:pull', [repository('a', 'pull')]],
    ['scope=repository:a:push,pull', [repository('a', 'push', 'pull')]],
    ['scope=repository:a:pull&scope=repository:b:pull', [repository('a', 'pull'), repository('b', 'pull')]],
    ['scope=repository:a:pull%20repository:b:pull', [repository('a', 'pull'), repository('b', 'pull')]],
    ['scope=repository:a:pull+repository:b:pull', [repository('a', 'pull'), repository('b', 'pull')]],
    ['scope=repository:a:pull&scope=repository:a:push,pull', [repository('a', 'pull', 'push')]],
    ['scope=repository:cr.example.io:5000/a:pull', [repository('cr.example.io:5000/a', 'pull')]],
    ['scope=registry:catalog:*', [{ type: 'registry', name: 'catalog', actions: ['*'] }]],
    ['scope=repository:a:', [repository('a')]],
    ['scope=repository', { malformed: 'scope' }],
    ['scope=repository:a', { malformed: 'scope' }],
    ['scope=repository::pull', { malformed: 'scope' }],
    ['scope=repository:a:pull&scope=nonsense', { malformed: 'scope' }],
    [`scope=repository:${'a'.repeat(600)}:pull`, { malformed: 'scope' }],
    [`scope=${'repository:a:pull+'.repeat(101)}`, { malformed: 'scope' }],
    [`scope=${`repository:${'a'.repeat(200)}:pull+`.repeat(60)}`, { malformed: 'scope' }],
  ];
  for (const [query, expected] of rows) {
    const read = parseTokenQuery(new URLSearchParams(query), undefined);
    t.strictSame('scopes' in read ? read.scopes : read, expected, query.slice(0, 80));
    const form = parseTokenForm(new URLSearchParams(`grant_type=password&username=ann&password=x&${query}`));
    t.strictSame('scopes' in form ? form.scopes : form, expected, `as a form: ${query.slice(0, 80)}`);
  }
});

t.test('GET', async (t) => {
  const none = { credentials: { kind: 'none' }, scopes: [], service: undefined, wantsRefreshToken: false };
  const ann = { kind: 'password', user: 'ann', password: 'secret' };
  const rows: [string, string | undefined, unknown][] = [
    ['', undefined, none],
    ['service=edge.example.io', undefined, { ...none, service: 'edge.example.io' }],
    ['offline_token=true', undefined, none],
    ['offline_token=true', basic('ann:secret'), { ...none, credentials: ann, wantsRefreshToken: true }],
    ['offline_token=1', basic('ann:secret'), { ...none, credentials: ann }],
    ['account=bob', basic('ann:secret'), { ...none, credentials: ann }],
    ['', 'Bearer x', { malformed: 'credentials' }],
    ['', 'Bearer a.b.c', { ...none, credentials: { kind: 'bearer', token: 'a.b.c' } }],
    ['offline_token=true', 'bearer a.b-_9.c', { ...none, credentials: { kind: 'bearer', token: 'a.b-_9.c' } }],
    ['', 'Bearer a.b.c.d.e', { malformed: 'credentials' }],
    ['', 'Bearer a.b.c d', { malformed: 'credentials' }],
    ['', '', { malformed: 'credentials' }],
  ];
  for (const [query, authorization, expected] of rows)
    t.strictSame(parseTokenQuery(new URLSearchParams(query), authorization), expected, `${query} ${authorization}`);
});

t.test('POST', async (t) => {
  const rows: [string, unknown][] = [
    ['grant_type=password&username=ann&password=secret', { kind: 'password', user: 'ann', password: 'secret' }],
    ['grant_type=password&username=ann&password=a%26b%3Dc', { kind: 'password', user: 'ann', password: 'a&b=c' }],
    [
      'grant_type=password&username=_json_key&password=%7B%0A%7D%0A',
      { kind: 'password', user: '_json_key', password: '{\n}\n' },
    ],
    ['grant_type=refresh_token&refresh_token=x', { kind: 'refresh', token: 'x' }],
    ['grant_type=refresh_token&username=ann&password=secret', undefined],
    ['grant_type=password&refresh_token=x', undefined],
    ['grant_type=password&username=ann', undefined],
    ['grant_type=password&username=&password=secret', undefined],
    ['grant_type=password&username=ann&password=', undefined],
    [`grant_type=password&username=${'a'.repeat(256)}&password=x`, undefined],
    ['grant_type=password&username=a%0Ab&password=x', undefined],
    ['grant_type=password&username=a%3Ab&password=x', undefined],
    ['grant_type=password&username=ann&password=x%00', undefined],
    ['grant_type=client_credentials&username=ann&password=secret', undefined],
    ['username=ann&password=secret', undefined],
    ['', undefined],
  ];
  for (const [form, expected] of rows) {
    const read = parseTokenForm(new URLSearchParams(form));
    t.strictSame('credentials' in read ? read.credentials : undefined, expected, form.slice(0, 80));
  }
  const offline = parseTokenForm(
    new URLSearchParams('grant_type=refresh_token&refresh_token=x&access_type=offline&service=s'),
  );
  t.match(offline, { wantsRefreshToken: true, service: 's' });
});
