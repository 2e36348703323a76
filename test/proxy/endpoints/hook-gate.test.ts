import t from 'tap';
import { FailureLimit } from '../../../src/auth/failure-limit.ts';
import { OciError } from '../../../src/oci/error.ts';
import { HookGate } from '../../../src/proxy/endpoints/hook-gate.ts';

const SECRET = 'the secret: of the hooks';
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

function verdict(gate: HookGate, header: string | undefined, client = '192.0.2.1'): number {
  try {
    gate.admit(header, client);
    return 202;
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    t.notMatch(JSON.stringify(error), SECRET);
    return error.status;
  }
}

t.test('the ways in which the secret may be shown', async (t) => {
  const shown: [header: string | undefined, status: number][] = [
    [SECRET, 202],
    [`Bearer ${SECRET}`, 202],
    [`bearer  ${SECRET}`, 202],
    [basic(`harbor:${SECRET}`), 202],
    [basic(`:${SECRET}`), 202],
    [undefined, 401],
    ['', 401],
    ['Bearer ', 401],
    [`${SECRET} `, 401],
    [SECRET.slice(1), 401],
    [SECRET.toUpperCase(), 401],
    [`Token ${SECRET}`, 401],
    [basic(SECRET.replace(':', '')), 401],
    [basic(`${SECRET}:harbor`), 401],
    ['Basic !', 401],
    [`Bearer Bearer ${SECRET}`, 401],
  ];
  for (const [header, status] of shown)
    t.equal(verdict(new HookGate(SECRET, new FailureLimit()), header), status, String(header));
  const whole = new HookGate(`Bearer ${SECRET}`, new FailureLimit());
  t.equal(verdict(whole, `Bearer ${SECRET}`), 202, 'a secret that is a whole header');
});

t.test('an address that guesses has to wait, and no other one', async (t) => {
  let now = 0;
  const failures = new FailureLimit(3, 1000, () => now);
  const gate = new HookGate(SECRET, failures);
  for (let guess = 0; guess < 3; guess += 1) t.equal(verdict(gate, `guess ${guess}`, '2001:db8::1'), 401);
  t.equal(verdict(gate, 'guess 4', '2001:db8::2'), 429, 'of the same /64');
  t.equal(verdict(gate, SECRET, '2001:db8::1'), 429);
  t.equal(verdict(gate, SECRET, '192.0.2.1'), 202);
  t.equal(failures.waitMs(['a 2001:db8:0:0::/64']), 0, 'logins from there are another matter');
  now += 1000;
  t.equal(verdict(gate, SECRET, '2001:db8::1'), 202);
  for (let turn = 0; turn < 20; turn += 1) verdict(gate, SECRET, '192.0.2.1');
  t.equal(verdict(gate, SECRET, '192.0.2.1'), 202, 'what is right costs nothing');
});
