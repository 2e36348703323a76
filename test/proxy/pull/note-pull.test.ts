import t from 'tap';
import { type Route, resolveRoute } from '../../../src/failover/rewrite.ts';
import type { ProxyContext } from '../../../src/proxy/proxy-context.ts';
import { noteLacked, notePull } from '../../../src/proxy/pull/note-pull.ts';
import type { ManifestRequest } from '../../../src/proxy/pull/upstream-read.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function route(replicate: boolean, registry?: string): Route {
  return resolveRoute({
    prefix: 'library/',
    ...(registry === undefined ? {} : { registry }),
    push: 'harbor',
    pull: [
      { upstream: 'harbor', replicate: false },
      { upstream: 'gcr', replicate },
    ],
    onAbsent: 'stop',
    staleTags: 'warn',
    deletions: 'keep',
    anonymous: false,
  });
}

/** What is noted of a request. */
function noted(over: {
  method?: string;
  forPush?: boolean;
  reference?: string;
  route?: Route;
  digest?: string | null;
}) {
  const pulls: unknown[] = [];
  const edge = { pulls: { record: (pulled: unknown) => pulls.push(pulled) } } as unknown as ProxyContext;
  const { method = 'GET', forPush = false, reference = '1', digest = DIGEST } = over;
  const request = { kind: 'manifest', method, repository: 'library/app', reference } as unknown as ManifestRequest;
  notePull(
    { method, permit: { user: undefined, ...(forPush ? { forPush } : {}) } },
    edge,
    over.route ?? route(true),
    request,
    digest ?? undefined,
  );
  return pulls;
}

t.test('pulls of replicated images are noted', async (t) => {
  const app = { registry: undefined, repository: 'library/app', digest: DIGEST };
  t.strictSame(noted({}), [{ ...app, reference: '1' }]);
  t.strictSame(noted({ reference: DIGEST }), [{ ...app, reference: DIGEST }]);
  t.strictSame(noted({ method: 'HEAD' }), [{ ...app, reference: '1' }], 'as containerd pulls');
  t.strictSame(noted({ route: route(true, 'docker.io') }), [{ ...app, registry: 'docker.io', reference: '1' }]);
});

t.test('and nothing else', async (t) => {
  t.strictSame(noted({ route: route(false) }), [], 'no copy is to be had');
  t.strictSame(noted({ forPush: true }), [], 'a push looks at what is there');
  t.strictSame(noted({ method: 'HEAD', reference: DIGEST }), [], 'a HEAD is no pull');
  t.strictSame(noted({ digest: null }), [], 'nothing was served');
});

t.test('what a fallback lacks is hinted at, unless the push upstream has answered', async (t) => {
  const lacked = (lacking: string[], over: { forPush?: true; reference?: string; route?: Route } = {}) => {
    const hints: unknown[] = [];
    const context = { hints: { enqueueHints: (some: unknown[]) => hints.push(...some) } } as unknown as ProxyContext;
    const { reference = '1', forPush } = over;
    const request = {
      kind: 'manifest',
      method: 'GET',
      repository: 'library/app',
      reference,
    } as unknown as ManifestRequest;
    const exchange = { permit: { user: undefined, ...(forPush ? { forPush } : {}) }, requester: '10.0.0.7' };
    noteLacked(exchange, context, over.route ?? route(true), request, new Set(lacking));
    return hints;
  };
  const place = { upstream: 'harbor', repository: 'library/app', reference: '1', kind: 'lacked', from: 'edge' };
  t.strictSame(lacked(['gcr']), [{ ...place, lacked: { upstream: 'gcr', client: '10.0.0.7' } }]);
  t.strictSame(lacked([]), [], 'it is not known to lack it');
  t.strictSame(lacked(['gcr', 'harbor']), [], 'there is no such image');
  t.strictSame(lacked(['gcr'], { route: route(false) }), [], 'no copy is to be had');
  t.strictSame(lacked(['gcr'], { forPush: true }), []);
  t.strictSame(lacked(['gcr'], { reference: `sha256-${'a'.repeat(64)}.sig` }), []);
});
