import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Snapshot } from '../../../src/status/snapshot/snapshot.ts';
import { tryCommand } from '../../helpers/command.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { down, replica, snapshotOf, upstream } from '../../status/snapshot/views.ts';

const BIN = fileURLToPath(new URL('../../../bin/breakwater', import.meta.url));
const MISSING = [{ repository: 'library/app', tags: 10, missing: ['1'], stale: [] }];
const WELL = copyRouteView([{ repository: 'library/app', tags: 10, missing: [], stale: [] }]);
const copying = (unknownSeconds: number) =>
  snapshotOf({
    replication: replicationView([{ ...WELL, coverage: { ...WELL.coverage, unknown: 1, unknownSeconds } }]),
  });

t.test('breakwater status ends with 1 if not all is well', async (t) => {
  let snapshot: Snapshot = snapshotOf();
  const server = http.createServer((_, response) => response.end(JSON.stringify(snapshot)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const status = async (told: Snapshot) => {
    snapshot = told;
    return (await tryCommand(BIN, ['status', '--admin', admin])).status;
  };
  t.equal(await status(snapshotOf()), 0);
  t.equal(await status(snapshotOf({ upstreams: [down('harbor'), upstream('gcr')] })), 1);
  const failing = upstream('harbor', { replicas: [replica({ canary: 'failing', suspected: true })] });
  t.equal(await status(snapshotOf({ upstreams: [failing, upstream('gcr')] })), 1, 'it says that harbor is failing');
  t.equal(await status(copying(120)), 0, 'a copy takes a while');
  t.equal(await status(copying(400)), 1, 'for minutes it has been unknown whether the fallback has a tag');
  const lacking = snapshotOf({ replication: replicationView([copyRouteView(MISSING)]) });
  t.equal(await status(lacking), 1, 'the fallback lacks a tag');
});
