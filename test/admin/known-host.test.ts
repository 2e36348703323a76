import t from 'tap';
import { isKnownHost } from '../../src/admin/known-host.ts';

const NAMES = ['edge-a.lan', 'fd00:0:0::a', '[fd00::b]', '203.0.113.7'];

t.test('hosts that a listener knows', async (t) => {
  for (const [host, local] of [
    ['localhost', '127.0.0.1'],
    ['localhost:9443', '127.0.0.1'],
    ['LOCALHOST.:1', '127.0.0.1'],
    ['127.0.0.1:9443', '127.0.0.1'],
    ['127.8.9.10', '10.0.0.5'],
    ['[::1]:9443', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[::ffff:127.0.0.1]:80', '::1'],
    ['10.0.0.5:9443', '10.0.0.5'],
    ['10.0.0.5:19443', '10.0.0.5'],
    ['10.0.0.5', '::ffff:10.0.0.5'],
    ['[FD00::5]:9443', 'fd00::5'],
    ['[fd00:0::5]', 'fd00::5'],
    ['[fe80::1%25eth0]:9443', 'fe80::1%eth0'],
    ['[fe80::1]:9443', 'fe80::1%eth0'],
    ['edge-a.lan:9443', '10.0.0.5'],
    ['Edge-A.LAN.', '10.0.0.5'],
    ['[fd00::a]:9443', '10.0.0.5'],
    ['[fd00::b]', '10.0.0.5'],
    ['203.0.113.7:80', '10.0.0.5'],
  ] as const)
    t.equal(isKnownHost(host, local, NAMES), true, `${host} on ${local}`);
});

t.test('hosts that it does not know', async (t) => {
  for (const host of [
    undefined,
    '',
    ':9443',
    'evil.example',
    'evil.example:9443',
    'localhost.evil.example',
    'evil.localhost',
    'localhost..',
    'localhost:',
    'localhost:9443:9443',
    'localhost:999999',
    'localhost/',
    'localhost#',
    'user@localhost',
    'localhost, evil.example',
    'localhost evil.example',
    '127.0.0.1.evil.example',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '0.0.0.0',
    '10.0.0.6',
    '10.0.0.5.nip.io',
    '::1',
    '[::1',
    '[::2]',
    '[::ffff:10.0.0.6]',
    'edge-a.lan.evil.example',
    'edge-b.lan',
    'edge-a',
    'edge-a.lan\u00e9',
    'edge-a.lan%00',
  ])
    t.equal(isKnownHost(host, '10.0.0.5', NAMES), false, String(host));
});
