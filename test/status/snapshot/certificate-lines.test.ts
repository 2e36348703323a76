import t from 'tap';
import type { AcmeView } from '../../../src/acme/acme-view.ts';
import {
  certificateLine,
  certificateNews,
  certificateSnapshot,
} from '../../../src/status/snapshot/certificate-lines.ts';
import { NOW, snapshotOf } from './views.ts';

const DAY = 86_400_000;
const view = (over: Partial<AcmeView> = {}): AcmeView => ({
  state: 'valid',
  names: ['cr.example.io'],
  until: NOW + 60 * DAY,
  lacks: undefined,
  waits: 'valid',
  nextAt: NOW + 30 * DAY,
  orders: 0,
  failures: 0,
  lastError: undefined,
  ...over,
});

t.test('what the operator has to know of a certificate that is ordered', async (t) => {
  const failed = { failures: 2, lastError: 'the name does not resolve' };
  const rows: [string, Partial<AcmeView>, RegExp | undefined][] = [
    ['valid', {}, undefined],
    ['being renewed in good time', { state: 'ordering', until: NOW + 30 * DAY }, undefined],
    [
      'an order failed',
      { state: 'renewing', until: NOW + 29 * DAY, waits: 'backoff', ...failed },
      /^The certificate ends in 29 days and is to be renewed\. The last order failed: the name does not resolve\. The next order is at 2026-12-21 03:30 UTC, or now by: breakwater cert order$/,
    ],
    [
      'few days are left',
      { state: 'renewing', until: NOW + 5 * DAY, waits: 'other-edge' },
      /ends in 5 days.*Another edge orders it\.$/,
    ],
    [
      'too many orders',
      { state: 'renewing', until: NOW + 5 * DAY, waits: 'weekly' },
      /Two orders of this week are used; the next one is at .* UTC, or now by: breakwater cert order$/,
    ],
    [
      'of another ACME server',
      { state: 'renewing', lacks: 'directory', waits: 'weekly' },
      /^The certificate is not of the ACME server of tls\.acme\.directory, so clients may refuse it\..*Two orders/,
    ],
    [
      'another name is wanted',
      { state: 'ordering', lacks: 'names' },
      /^The certificate has not all names of the configuration.* It is being ordered\.$/,
    ],
    [
      'none yet',
      { state: 'ordering', until: undefined },
      /^There is no certificate yet, so clients refuse this edge\. It is being ordered\.$/,
    ],
    [
      'none, and it may not order',
      { state: 'none', until: undefined, waits: 'follower' },
      /Another edge of the site has to order it/,
    ],
    [
      'expired',
      { state: 'expired', until: NOW - 2 * DAY, waits: 'settling', nextAt: undefined },
      /^The certificate expired on 2026-11-19, so clients refuse this edge\.$/,
    ],
  ];
  for (const [title, over, line] of rows) {
    const { lines, degraded } = certificateNews(certificateSnapshot(view(over)), NOW);
    t.equal(degraded, line !== undefined, title);
    if (line) t.match(lines, [line], title);
    else t.strictSame(lines, [], title);
  }
  t.strictSame(certificateNews(null, NOW), { lines: [], degraded: false });
});

t.test('the status shows it', async (t) => {
  const { headline, certificate } = snapshotOf({ acme: view({ state: 'none', until: undefined, waits: 'settling' }) });
  t.equal(headline.level, 'degraded');
  t.match(headline.text, /There is no certificate yet/);
  t.match(certificate, { state: 'none', until: null });
  t.equal(
    certificateLine(certificateSnapshot(view({ orders: 1 }))),
    'certificate for cr.example.io: valid until 2027-01-20, to be renewed from 2026-12-21; orders in the last week: 1',
  );
  t.match(
    certificateLine(certificateSnapshot(view({ until: undefined, state: 'none', waits: undefined }))),
    /: none; orders/,
  );
});
