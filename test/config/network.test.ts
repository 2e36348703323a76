import t from 'tap';
import { parseNetwork } from '../../src/config/network.ts';

t.test('networks and addresses', async (t) => {
  const rows: [string, unknown][] = [
    ['10.0.0.0/8', { address: '10.0.0.0', bits: 8, family: 'ipv4' }],
    ['0.0.0.0/0', { address: '0.0.0.0', bits: 0, family: 'ipv4' }],
    ['192.0.2.7', { address: '192.0.2.7', bits: 32, family: 'ipv4' }],
    ['192.0.2.7/32', { address: '192.0.2.7', bits: 32, family: 'ipv4' }],
    ['fd00::/8', { address: 'fd00::', bits: 8, family: 'ipv6' }],
    ['::/0', { address: '::', bits: 0, family: 'ipv6' }],
    ['2001:db8::1', { address: '2001:db8::1', bits: 128, family: 'ipv6' }],
  ];
  for (const [text, expected] of rows) t.strictSame(parseNetwork(text), expected, text);
});

t.test('what is neither', async (t) => {
  const texts = [
    '',
    '/',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/8 ',
    ' 10.0.0.0/8',
    '10.0.0.0/1e1',
    '10.0.0.0/255.0.0.0',
    '10.0.0',
    '010.0.0.1',
    '10.0.0.256',
    'fd00::/129',
    'fd00::g',
    '[fd00::1]',
    'localhost',
  ];
  for (const text of texts) t.equal(parseNetwork(text), undefined, JSON.stringify(text));
});
