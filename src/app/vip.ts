import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { sightOf, type UpstreamSight } from '../failover/sight.ts';
import type { VipState } from '../failover/vip-eligibility.ts';
import type { VipWatch } from '../peer/vip-watch.ts';
import type { ProxyContext } from '../proxy/proxy-context.ts';
import type { Phase } from '../status/admin.ts';
import type { VipView } from '../status/snapshot/vip-snapshot.ts';
import { registryIdentity } from '../upstream/upstream.ts';

/** Everybody may ask, so it names nothing. */
const ANOTHER_SEES_MORE = 'another edge reaches an upstream that this one does not reach; see breakwater status';

/** What this edge sees of each registry. Two upstreams with the same URLs are one registry. */
export function ownSight({ config, views }: Pick<ProxyContext, 'config' | 'views'>): UpstreamSight[] {
  const pushed = new Set(config.routes.map(({ push }) => push));
  const sights = [...views()].map(([name, view]) => sightOf(identityOf(config, name), view, pushed.has(name)));
  return [...new Map(sights.toReversed().map((sight) => [sight.id, sight])).values()];
}

/** The upstream of this configuration that another edge names by its identity. */
function upstreamNamed(config: Config, id: string): string | undefined {
  return Object.keys(config.upstreams).find((name) => identityOf(config, name) === id);
}

function identityOf({ upstreams }: Config, name: string): string {
  return registryIdentity(upstreams[name]?.urls ?? []);
}

/** What the status shows. @param obstacle why this node may not hold the VIP */
export function vipView(watch: VipWatch, obstacle: string | undefined, config: Config): VipView {
  const differences = watch.differences().map(({ gaps, ...one }) => ({
    ...one,
    upstreams: gaps.map(({ id, ...lost }) => ({ upstream: upstreamNamed(config, id) ?? id, ...lost })),
  }));
  return { obstacle, defers: watch.look(), differences };
}

/** Logs when this node leaves the VIP to another one, and when that is over. */
export function vipEvents(log: Logger, config: () => Config): (defers: VipState['defers']) => void {
  return (defers) => {
    if (!defers) {
      log.info('this node may hold the VIP again');
      return;
    }
    const lacking = defers.gaps.map(({ id }) => upstreamNamed(config(), id) ?? id);
    log.warn(
      { peer: defers.peer, upstreams: lacking },
      `this edge does not reach ${lacking.join(' and ')}, and the edge at ${defers.peer} does: /vipz fails, so that the VIP moves there. Check the network of this node`,
    );
  };
}

/** Why this node may not hold the VIP. @param stopping a planned stop has begun: it keeps the VIP until it has no use for it */
export function vipObstacle(phase: Phase, stopping: boolean, watch: Pick<VipWatch, 'look'>): string | undefined {
  if (phase === 'starting') return 'this edge has not started yet';
  if (phase === 'draining') return 'this edge is stopping';
  return !stopping && watch.look() ? ANOTHER_SEES_MORE : undefined;
}
