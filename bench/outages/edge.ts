import { startEdge } from '../../test/helpers/edge.ts';
import { type Contender, EDGE } from '../proxies/contender.ts';
import { edgeLauncher } from '../proxies/edge-package.ts';
import { CANARY, FALLBACK, type FailoverSetup, PRIMARY } from './failover-setup.ts';

/** For `--short`: a registry that has recovered is used again sooner than by default. */
const QUICK = { interval: '500ms', fastInterval: '100ms', timeout: '500ms', holdDown: '1s', settle: '500ms' };

/** The edge with its defaults, a canary, and one route over both registries. */
export async function failoverByEdge({
  owner,
  primary,
  fallback,
  certificate: { certFile, keyFile },
  quick,
}: FailoverSetup): Promise<Contender> {
  const probe = quick ? QUICK : {};
  const edge = await startEdge(
    owner,
    {
      tls: { certFile, keyFile },
      upstreams: {
        [PRIMARY]: { urls: [`http://${primary}`], probe: { canary: `${CANARY}:latest`, ...probe } },
        [FALLBACK]: { urls: [`http://${fallback}`], probe },
      },
      routes: [
        {
          prefix: 'library/',
          push: PRIMARY,
          pull: [{ upstream: PRIMARY }, { upstream: FALLBACK, prefix: 'example-project/' }],
        },
      ],
    },
    await edgeLauncher(),
  );
  await edge.waitFor(({ upstreams }) => upstreams.every(({ state }) => state === 'up'));
  return { name: EDGE, url: edge.url, pid: edge.pid };
}
