import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type Challenge, formatChallenge, parseChallenges } from '../../src/oci/challenge.ts';
import { propertyRuns } from '../helpers/property-runs.ts';
import { timeLimit } from '../helpers/time-limit.ts';

/** As plain objects: the parser's have no prototype. */
function parse(header: string | undefined): Challenge[] {
  return parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, parameters: { ...parameters } }));
}

const one = (scheme: string, parameters: Record<string, string> = {}) => ({ scheme, parameters });
const HARBOR = {
  realm: 'https://harbor.lan/service/token',
  service: 'harbor-registry',
  scope: 'repository:a/b:pull,push',
};

t.test('what registries send', async (t) => {
  const rows: [string, string | undefined, Challenge[]][] = [
    ['no header', undefined, []],
    ['an empty one, as Harbor without its database', '', []],
    ['blanks and commas', ' , ,\t', []],
    ['Basic', 'Basic realm="Registry Realm"', [one('basic', { realm: 'Registry Realm' })]],
    [
      'Bearer with commas in quotes',
      'Bearer realm="https://harbor.lan/service/token",service="harbor-registry",scope="repository:a/b:pull,push"',
      [one('bearer', HARBOR)],
    ],
    ['blanks round everything', ' Bearer  realm = "x" ,  service = y ', [one('bearer', { realm: 'x', service: 'y' })]],
    ['names in any case', 'BEARER Realm="x"', [one('bearer', { realm: 'x' })]],
    ['escapes', String.raw`Basic realm="a \"quoted\" \\ b"`, [one('basic', { realm: String.raw`a "quoted" \ b` })]],
    ['an empty value', 'Bearer realm="",service="s"', [one('bearer', { realm: '', service: 's' })]],
    ['a scheme alone', 'Negotiate', [one('negotiate')]],
    [
      'several in one header',
      'Basic realm="x", Bearer realm="y",error="invalid_token"',
      [one('basic', { realm: 'x' }), one('bearer', { realm: 'y', error: 'invalid_token' })],
    ],
    ['a scheme alone and another', 'Negotiate, Basic realm="x"', [one('negotiate'), one('basic', { realm: 'x' })]],
    ['token68 and another', 'Negotiate YIIB+/==, Basic realm="x"', [one('negotiate'), one('basic', { realm: 'x' })]],
    ['token68 at the end', 'Basic realm="x", NTLM TlRM=', [one('basic', { realm: 'x' }), one('ntlm')]],
    [
      "two with a comma in the first one's value",
      'Digest qop="auth,auth-int",nonce=abc, Basic realm=x',
      [one('digest', { qop: 'auth,auth-int', nonce: 'abc' }), one('basic', { realm: 'x' })],
    ],
    [
      'a parameter that objects have already',
      'Bearer __proto__="x",constructor=y',
      [one('bearer', { ['__proto__']: 'x', constructor: 'y' })],
    ],
    ['broken: a parameter without a scheme', 'realm="x"', []],
    ['broken: a quote that never ends', 'Bearer realm="x', [one('bearer')]],
    ['broken after a good one', 'Basic realm="x", @@@, Bearer realm="y"', [one('basic', { realm: 'x' })]],
  ];
  for (const [name, header, expected] of rows) t.strictSame(parse(header), expected, name);
});

t.test('a challenge that is longer than is read is what came first', async (t) => {
  const [challenge] = parseChallenges(`Bearer realm="r",scope="${'x'.repeat(10_000)}"`);
  t.equal(challenge?.parameters.realm, 'r');
  t.equal(challenge?.parameters.scope, undefined);
});

t.test('writing', async (t) => {
  t.equal(formatChallenge(one('bearer', { realm: 'r', service: 's' })), 'Bearer realm="r",service="s"');
  t.equal(formatChallenge(one('basic', { realm: 'a "b" \\' })), String.raw`Basic realm="a \"b\" \\"`);
  t.equal(formatChallenge(one('negotiate')), 'Negotiate');
});

const token = fc.stringMatching(/^[a-z!#$%&'*+.^_`|~0-9-]{1,8}$/);
const value = fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\x20-\x7e]/g, ' '));
const challenge = fc.record(
  {
    scheme: fc.stringMatching(/^[a-z][a-z0-9-]{0,7}$/),
    parameters: fc.dictionary(token, value, { maxKeys: 4, noNullPrototype: true }),
  },
  { noNullPrototype: true },
);

t.test('property: what is written is read back, several at once', async () => {
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
      assert.deepEqual(parse(challenges.map(formatChallenge).join(', ')), challenges);
    }),
  );
});

t.test('property: never throws, whatever comes', async () => {
  const piece = fc.oneof(
    fc.constantFrom('Bearer', 'realm', '=', '"', '\\', ',', ' ', '\t', 'a', '==', '__proto__'),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
      (header) => Array.isArray(parseChallenges(header)),
    ),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('64 KiB of anything take no time', async (t) => {
  const size = 65_536;
  for (const unit of [
    'a',
    ' ',
    ',',
    '"',
    '\\',
    '=',
    'a ',
    'a,',
    'a=',
    'a="',
    'a="\\',
    'a=b,',
    'a =',
    'a = b ',
    ', ',
    'Bearer a="b",',
    '\t=',
    'a=\\"',
  ]) {
    const header = unit.repeat(Math.ceil(size / unit.length));
    for (const text of [header, `Bearer ${header}`, `Bearer realm="${header}`]) {
      const started = performance.now();
      parseChallenges(text);
      t.ok(
        performance.now() - started < timeLimit(100),
        `${JSON.stringify(text.slice(0, 16))}… in ${Math.round(performance.now() - started)} ms`,
      );
    }
  }
});
