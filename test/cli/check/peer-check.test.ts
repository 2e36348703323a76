import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkPeers } from '../../../src/cli/check/peer-check.ts';
import { peerFindings } from '../../../src/cli/check/peer-findings.ts';
import type { CheckFinding } from '../../../src/cli/check/reachability.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { UpstreamSight } from '../../../src/failover/sight.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import type { PeerAnswered } from '../../../src/peer/peer-question.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { startEdgeInProcess } from '../../helpers/edge-in-process.ts';

const CONTEXT = { keyFile: 'edge.key', registries: new Map([['id-of-harbor', 'harbor']]) };
const HARBOR: UpstreamSight = {
  ...{ id: 'id-of-harbor', pulls: 'yes', pullsSince: 0, pushes: 'yes', pushesSince: 0 },
  ...{ goodAt: 0, probedAt: 0 },
};
const GCR = { ...HARBOR, id: 'id-of-gcr' };

function answered(clockAheadMs = 3, upstreams = [HARBOR]): PeerAnswered {
  const sight = { peer: '10.0.0.12:443', toldAt: 0, holds: true, defers: false, away: false, upstreams };
  return { kind: 'edge', release: '0.1.0', clockAheadMs, sight };
}

t.test('what an answer of another edge shows, and what to do', async (t) => {
  const ok = 'it has the same keyFile, is breakwater 0.1.0, and has the same time';
  const rows: [PeerAnswered, [CheckFinding['level'], string | RegExp, RegExp | undefined][]][] = [
    [answered(), [['ok', ok, undefined]]],
    [answered(-29_999), [['ok', /its clock is 30 s behind$/, undefined]]],
    [
      answered(600_000),
      [
        ['ok', /its clock is 600 s ahead/, undefined],
        [
          'error',
          /^its clock is 600 s ahead, so tokens of one edge may be refused by the other one$/,
          /^look at the time synchronization of both hosts \(timedatectl, chronyc tracking\)$/,
        ],
      ],
    ],
    [
      answered(0, [GCR]),
      [
        ['ok', ok, undefined],
        [
          'warning',
          'it has no upstream with the urls of harbor, and it has 1 that this configuration lacks, so the edges do not share what they learn there',
          /^write the same upstreams with the same urls on all edges, and reload them$/,
        ],
      ],
    ],
    [
      { kind: 'edge', release: undefined, clockAheadMs: undefined, sight: undefined },
      [
        [
          'warning',
          'it has the same keyFile, and an earlier release: its clock and its upstreams are not known',
          /^upgrade it; until then neither edge leaves the VIP to the other one$/,
        ],
      ],
    ],
    [
      { kind: 'silent', reason: 'connect ECONNREFUSED' },
      [
        [
          'warning',
          'no edge answers there: connect ECONNREFUSED',
          /^start the other edge, or open the way to its listen\.https; if that node is gone for good, take it out of peers$/,
        ],
      ],
    ],
    [
      { kind: 'stranger', status: 403 },
      [
        [
          'error',
          'it refuses this edge, because it has another keyFile or another version',
          /^the secret in keyFile must be the same on all edges: compare "sha256sum edge\.key" on both nodes, copy the file, and reload both$/,
        ],
      ],
    ],
    [
      { kind: 'stranger', status: 404 },
      [
        [
          'error',
          'it answers 404, so it is not Breakwater, or one that has no peers',
          /^write the address and the port of listen\.https of the other edge, not those of the VIP, a proxy or another service$/,
        ],
      ],
    ],
    [
      { kind: 'stranger', status: 200 },
      [
        [
          'error',
          'its answer cannot be read: it has another keyFile or another version, or is not Breakwater',
          /listen\.https/,
        ],
      ],
    ],
  ];
  for (const [given, expected] of rows) {
    const findings = peerFindings('peers[0]', given, CONTEXT);
    t.match(
      findings,
      expected.map(([level, message, remedy]) => ({ level, message, ...(remedy ? { remedy } : {}) })),
    );
    t.equal(findings.length, expected.length);
  }
});

/** Whatever answers at this port is no Breakwater. */
async function stranger(t: Test): Promise<number> {
  const server = createServer(await makeCertificate({ names: ['x.test'], authority: true }), (_, response) =>
    response.writeHead(404).end(),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('each edge of the configuration is asked, and the finding names its line', async (t) => {
  const file = join(await writeMaterial(t), 'breakwater.yaml');
  const harbor = { urls: ['http://127.0.0.1:1'], credentials: 'forward' };
  const site = { upstreams: { harbor }, routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }] };
  const tls = { certFile: 'tls.crt', keyFile: 'tls.key' };
  const write = (peers: string[]) => {
    const listen = { https: '0.0.0.0:8444' };
    const all = { hostname: 'cr.example.io', tls, keyFile: 'edge.key', listen, peers, ...site };
    writeFileSync(file, JSON.stringify(all, null, 2));
  };
  write([]);
  const { config, material } = await loadConfig(file);
  t.same(await checkPeers(await loadConfig(file), new Resolver()), [], 'no peers');
  const [key] = material.keys;
  const same = await startEdgeInProcess(t, { keyFile: 'x', ...site }, { ...(key && { key }) });
  const other = await startEdgeInProcess(
    t,
    { keyFile: 'x', ...site },
    { key: Buffer.from('another secret, which is long enough too') },
  );
  const url = (port: number) => `https://127.0.0.1:${port}`;
  write([url(same.port), url(other.port), url(await stranger(t)), url(1), url(8444), 'https://no-such-edge.invalid']);
  const findings = await checkPeers(await loadConfig(file), new Resolver());
  t.match(findings, [
    { level: 'ok', message: /^it has the same keyFile, is breakwater \d.*, and has the same time$/ },
    { level: 'error', message: /^it refuses this edge/ },
    { level: 'error', message: /^it answers 404/ },
    { level: 'warning', message: /^no edge answers there: .*ECONNREFUSED/ },
    { level: 'ok', message: 'it is the address of this node, which the edge skips' },
    {
      level: 'warning',
      message: /^its name does not resolve: /,
      remedy: /^write the address of that node, or correct its name in DNS$/,
    },
  ]);
  const places = findings.map(({ subject }) => subject.replace(file, 'FILE'));
  t.match(places, [
    /^FILE:\d+:\d+ peers\[0\] \(https:\/\/127\.0\.0\.1:\d+\)$/,
    /peers\[1\]/,
    /peers\[2\]/,
    /peers\[3\]/,
    /peers\[4\]/,
    /peers\[5\]/,
  ]);
  t.equal(new Set(places.map((place) => place.split(' ')[0])).size, 6, 'each its own line');
  t.equal(config.peers.length, 0);
});
