import t from 'tap';
import { showsUploads, uploadVerdict } from '../../src/failover/upload-refusal.ts';

t.test('what the answer to a start of an upload says', async (t) => {
  const rows: [number, string][] = [
    [202, 'taken'],
    [405, 'none'],
    ...[200, 201, 204, 301, 400, 401, 403, 404, 429, 500, 503].map((status): [number, string] => [status, 'unknown']),
  ];
  for (const [status, verdict] of rows) t.equal(uploadVerdict(status), verdict, String(status));
});

t.test('which requests show it', async (t) => {
  t.ok(showsUploads({ kind: 'upload-start', mounts: false }));
  t.notOk(showsUploads({ kind: 'upload-start', mounts: true }));
  for (const kind of ['manifest', 'blob', 'upload']) t.notOk(showsUploads({ kind, mounts: false }), kind);
});
