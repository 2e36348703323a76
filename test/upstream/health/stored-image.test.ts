import t from 'tap';
import type { FoundPush } from '../../../src/failover/lost-content.ts';
import { findStoredImage } from '../../../src/upstream/health/stored-image.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { madeAnswer } from '../made-answer.ts';

const CONFIG = Buffer.from('{}');
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(CONFIG), size: CONFIG.length },
    layers: [],
  }),
);
const DIGEST = sha256(MANIFEST);
const PUSH = { repository: 'team/app', tag: '1', digest: DIGEST, at: 0, overwritten: false, afterLoss: false };

/** Statuses by kind of request; default: all is there. */
interface Given {
  manifest?: number;
  list?: number;
  blob?: number;
  tag?: number;
}

async function found({ manifest = 200, list = 200, blob = 206, tag = 200 }: Given, mayBeHidden: boolean) {
  const asked: string[] = [];
  const read = async (method: string, path: string) => {
    asked.push(`${method} ${path.replace('/v2/team/app/', '').replace(/sha256:\w+/, 'DIGEST')}`);
    if (path.endsWith(DIGEST)) return madeAnswer({ status: manifest, body: manifest === 200 ? MANIFEST : '{}' });
    if (path.includes('/tags/list')) return madeAnswer({ status: list, body: '{"tags":["1"]}' });
    if (path.includes('/blobs/')) return madeAnswer({ status: blob, body: '{' });
    return madeAnswer({ status: tag, headers: { 'docker-content-digest': DIGEST } });
  };
  return { found: await findStoredImage(PUSH, { read, mayBeHidden }), asked };
}

t.test('what is found of a push', async (t) => {
  const rows: [what: string, given: Given, mayBeHidden: boolean, expected: FoundPush][] = [
    ['all of it', {}, false, 'there'],
    ['no manifest', { manifest: 404 }, false, 'gone'],
    ['no manifest, in a repository that the credentials may read', { manifest: 404 }, true, 'gone'],
    ['no manifest, and no repository: it may be hidden', { manifest: 404, list: 404 }, true, 'denied'],
    ['no manifest, and the repository may not be read', { manifest: 404, list: 403 }, true, 'denied'],
    ['a refusal', { manifest: 401 }, false, 'denied'],
    ['a refusal of credentials of the probe', { manifest: 403 }, true, 'denied'],
    ['an error', { manifest: 500 }, true, 'unclear'],
    ['no blob', { blob: 404 }, true, 'gone'],
    ['no tag', { tag: 404 }, true, 'elsewhere'],
  ];
  for (const [what, given, mayBeHidden, expected] of rows)
    t.equal((await found(given, mayBeHidden)).found, expected, what);
});

t.test('only where something may be hidden, the repository is asked for', async (t) => {
  t.strictSame((await found({ manifest: 404 }, false)).asked, ['GET manifests/DIGEST']);
  t.strictSame((await found({ manifest: 404 }, true)).asked, ['GET manifests/DIGEST', 'GET tags/list?n=1']);
  t.strictSame((await found({}, true)).asked, ['GET manifests/DIGEST', 'GET blobs/DIGEST', 'HEAD manifests/1']);
});
