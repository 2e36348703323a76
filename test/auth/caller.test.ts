import t from 'tap';
import { addressKey, clientAddress } from '../../src/auth/caller.ts';
import { NetworkSet } from '../../src/config/network.ts';

const trusted = new NetworkSet(['10.0.0.0/30', 'fd00::/64']);

t.test('who the client is', async (t) => {
  const rows: [string, string, string | undefined, string][] = [
    ['a client itself', '203.0.113.9', undefined, '203.0.113.9'],
    ['a client that claims to be another one', '203.0.113.9', '10.1.1.1', '203.0.113.9'],
    ['behind a proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['a proxy that says nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['a proxy that says an empty text', '10.0.0.1', '', '10.0.0.1'],
    ['a spoofed first hop', '10.0.0.1', '10.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['a spoofed proxy', '10.0.0.1', '192.0.2.1, 10.0.0.2, 203.0.113.9', '203.0.113.9'],
    ['two proxies', '10.0.0.1', '203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['two proxies and a lie', '10.0.0.1', '127.0.0.1,203.0.113.9,10.0.0.2', '203.0.113.9'],
    ['only proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['nonsense of the client', '10.0.0.1', 'nonsense, 203.0.113.9', '203.0.113.9'],
    ['nonsense of the proxy', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['nonsense of the second proxy', '10.0.0.1', '203.0.113.9, unknown, 10.0.0.2', '10.0.0.2'],
    ['a list that ends in nothing', '10.0.0.1', '203.0.113.9, ', '10.0.0.1'],
    ['with a port', '10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['IPv6', 'fd00::1', '2001:db8::7', '2001:db8::7'],
    ['IPv6 in brackets', 'fd00::1', '[2001:db8::7]', '2001:db8::7'],
    ['IPv6 with a port', 'fd00::1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['an IPv4 proxy on an IPv6 socket', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['an IPv4 client on an IPv6 socket', '::ffff:203.0.113.9', '10.0.0.1', '::ffff:203.0.113.9'],
    ['just outside of the proxies', '10.0.0.4', '203.0.113.9', '10.0.0.4'],
    ['a very long list', '10.0.0.1', `${'10.1.1.1, '.repeat(50)}203.0.113.9${', 10.0.0.2'.repeat(20)}`, '203.0.113.9'],
  ];
  for (const [name, socket, forwarded, expected] of rows)
    t.equal(clientAddress(socket, forwarded, trusted), expected, name);
});

t.test('a list longer than any real one never reaches what a client wrote', async (t) => {
  const forwarded = `192.0.2.1${', 10.0.0.2'.repeat(50)}`;
  t.equal(clientAddress('10.0.0.1', forwarded, trusted), '10.0.0.2');
});

t.test('networks', async (t) => {
  const rows: [string[], string[], string[]][] = [
    [
      ['10.0.0.0/8'],
      ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '::ffff:a01:203'],
      ['11.0.0.0', '9.255.255.255'],
    ],
    [['10.9.9.9/8'], ['10.0.0.1'], ['11.0.0.1']],
    [['192.0.2.7'], ['192.0.2.7'], ['192.0.2.8', '::192.0.2.7']],
    [['fd00::/9'], ['fd00::1', 'fd7f::1', 'fd00::1%eth0'], ['fd80::1', 'fe80::1', '::1']],
    [['0.0.0.0/0'], ['8.8.8.8', '::ffff:8.8.8.8'], ['2001:db8::1']],
    [
      ['10.0.0.0/8', 'fd00::/8'],
      ['10.0.0.1', 'fd00::1'],
      ['', 'unknown', '10.0.0', 'localhost', '10.0.0.1 '],
    ],
    [[], [], ['10.0.0.1', '::1']],
  ];
  for (const [texts, inside, outside] of rows) {
    const networks = new NetworkSet(texts);
    for (const address of inside) t.equal(networks.has(address), true, `${texts} has ${address}`);
    for (const address of outside) t.equal(networks.has(address), false, `${texts} has not ${address}`);
  }
});

t.test('failures are counted by address, and by /64 where there are so many', async (t) => {
  const same: [string, string][] = [
    ['203.0.113.9', '::ffff:203.0.113.9'],
    ['203.0.113.9', '::FFFF:203.0.113.9'],
    ['203.0.113.9', '::ffff:cb00:7109'],
    ['203.0.113.9', '0:0:0:0:0:ffff:203.0.113.9'],
    ['2001:db8::1', '2001:db8::2'],
    ['2001:db8::1', '2001:db8:0:0:ffff:ffff:ffff:ffff'],
    ['2001:db8::1', '2001:0DB8:0000::1'],
    ['2001:db8:1:2::', '2001:db8:1:2:3:4:5:6'],
    ['2001:db8:1:2::', '2001:db8:1:2::%eth0'],
    ['::1', '::2'],
    ['fe80::1%eth0', 'fe80::2'],
  ];
  const different: [string, string][] = [
    ['203.0.113.9', '203.0.113.10'],
    ['::ffff:203.0.113.9', '::ffff:203.0.113.10'],
    ['::ffff:cb00:7109', '::ffff:cb00:710a'],
    ['2001:db8::1', '2001:db8:0:1::1'],
    ['2001:db8::1', '2001:db8:1::1'],
    ['2001:db8:1:2::', '2001:db8:1:20::'],
    ['::1', '1::'],
  ];
  for (const [one, other] of same) t.equal(addressKey(one), addressKey(other), `${one} is ${other}`);
  for (const [one, other] of different) t.not(addressKey(one), addressKey(other), `${one} is not ${other}`);
  t.equal(addressKey(''), addressKey(''), 'a socket that is gone has none');
});
