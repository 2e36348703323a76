import type { RouteSnapshot, UpstreamSnapshot } from './snapshot.ts';

/** `well`: as configured. `degraded`: something serves in place of something else, or nothing could. `failing`: pulls fail. */
export interface Headline {
  level: 'well' | 'degraded' | 'failing';
  /** A few sentences for somebody who was just woken. */
  text: string;
}

export interface HeadlineInput {
  ready: boolean;
  upstreams: readonly UpstreamSnapshot[];
  routes: readonly RouteSnapshot[];
}

interface Finding {
  level: Headline['level'];
  text: string;
}

/** Says who serves pulls, what becomes of pushes, and what is amiss. @param now epoch milliseconds */
export function headlineOf(input: HeadlineInput, now: number): Headline {
  const findings = [...pulls(input, now), ...spares(input, now), ...pushes(input, now)];
  if (!input.ready) findings.unshift({ level: 'degraded', text: 'This edge is starting or draining.' });
  const level = (['failing', 'degraded'] as const).find((one) => findings.some((finding) => finding.level === one));
  return { level: level ?? 'well', text: findings.map((finding) => finding.text).join(' ') };
}

/** One sentence for all routes that ask the same upstreams in the same order. */
function pulls({ upstreams, routes }: HeadlineInput, now: number): Finding[] {
  const groups = Map.groupBy(routes, (route) => route.pull.map((entry) => entry.upstream).join(' '));
  return [...groups.values()].map((group) => {
    const of = groups.size === 1 ? 'Pulls' : `Pulls of ${group.map(nameOf).join(', ')}`;
    const order = (group[0]?.pull ?? []).flatMap(
      ({ upstream }) => upstreams.find((one) => one.name === upstream) ?? [],
    );
    const index = order.findIndex((one) => troubleWith(one, now) === undefined);
    const server = order[index];
    const passed = index < 0 ? order : order.slice(0, index);
    const troubles = passed.map((one) => troubleWith(one, now)).join(', ');
    if (!server)
      return { level: 'failing', text: `${of}: failing or at risk, ${troubles}. Every upstream is still asked.` };
    if (index === 0) return { level: 'well', text: `${of}: served by ${server.name}.` };
    return { level: 'degraded', text: `${of}: served by ${server.name}, ${troubles}.` };
  });
}

/** Upstreams that serve nothing now, and could not if they had to. */
function spares({ upstreams, routes }: HeadlineInput, now: number): Finding[] {
  return upstreams.flatMap((upstream): Finding[] => {
    const trouble = troubleWith(upstream, now);
    const covered = routes.filter((route) => {
      const place = route.pull.findIndex((entry) => entry.upstream === upstream.name);
      const before = route.pull.slice(0, Math.max(place, 0));
      const wellBefore = before.find(({ upstream: name }) => {
        const one = upstreams.find((candidate) => candidate.name === name);
        return one !== undefined && troubleWith(one, now) === undefined;
      });
      return wellBefore !== undefined;
    });
    const first = covered[0]?.pull[0];
    if (trouble === undefined || first === undefined) return [];
    return [{ level: 'degraded', text: `${capital(trouble)}, and could not take over.` }];
  });
}

function pushes({ upstreams }: HeadlineInput, now: number): Finding[] {
  const gated = upstreams.filter((upstream) => upstream.pushes !== undefined);
  if (gated.length === 0) return [{ level: 'well', text: 'Pushes: every route is read-only.' }];
  return gated.flatMap(({ name, pushes: gate }): Finding[] => {
    if (!gate) return [];
    const of = gated.length === 1 ? 'Pushes' : `Pushes to ${name}`;
    if (gate.mode === 'accepting')
      return [{ level: 'well', text: gated.length === 1 ? `Pushes: go to ${name}.` : `${of}: admitted.` }];
    if (gate.mode === 'settling')
      return [{ level: 'degraded', text: `${of}: refused for a few seconds more, ${name} is just back.` }];
    return [{ level: 'degraded', text: `${of}: refused since ${clock(gate.since, now)} (${gate.reason}).` }];
  });
}

/** What keeps an upstream from being asked; undefined if nothing does. */
function troubleWith({ name, state, since, reason, urls }: UpstreamSnapshot, now: number): string | undefined {
  if (state === 'down') return `${name} is down since ${clock(since, now)} (${reason})`;
  if (state === 'unknown') return `${name} was not probed yet`;
  const askable = urls.some(
    (url) =>
      url.state === 'up' &&
      url.restingUntil === null &&
      url.breakers.control !== 'open' &&
      url.breakers.data !== 'open',
  );
  if (askable) return undefined;
  const resting = urls.some((url) => url.restingUntil !== null);
  return resting
    ? `${name} asked to be left alone for a while`
    : `${name} is up but fails what it is asked (breaker open)`;
}

function nameOf(route: RouteSnapshot): string {
  if (route.registry !== undefined) return `${route.registry}/${route.prefix}`;
  return route.prefix === '' ? 'all other repositories' : route.prefix;
}

/** The time of day in UTC, with the date if it was not today. */
function clock(iso: string, now: number): string {
  const time = `${iso.slice(11, 16)} UTC`;
  return iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? time : `${iso.slice(0, 10)} ${time}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
