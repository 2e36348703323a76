import { sha256 } from '../helpers/lab-site.ts';
import { type PairJudge, RuleBroken, replyText } from './pair-judge.ts';
import { MIRROR, type PairSite } from './pair-site.ts';
import type { RegistryState } from './registry-state.ts';

/** Milliseconds for which everything is well at the end: an upstream comes back within 8 s, and is compared every 5 s. */
const END_MS = 15_000;
/** Milliseconds between two looks whether all is in step, and how many there are. */
const LOOK_EVERY_MS = 4000;
const LOOKS = 45;

/** Ends all faults. Once everything is well for a while, everything is as it should be. @throws RuleBroken */
export async function judgeEnd(site: PairSite, judge: PairJudge, copied: RegistryState): Promise<void> {
  const { edges, fallback, primary, time } = site;
  primary.fault = undefined;
  fallback.fault = undefined;
  edges.connected = true;
  for (const edge of [0, 1]) await edges.start(edge);
  await time.pass(END_MS);
  // What the fallback had of lost content is the only copy, and stays until the operator has decided.
  for (const { key, digest } of judge.lost()) {
    const [repository = '', tag = ''] = key.split(':');
    const [before, now] = [copied, fallback.state].map((state) => state.tag(`${MIRROR}${repository}`, tag));
    if (before === digest && now !== digest)
      throw new RuleBroken(
        'what was acknowledged is not unlearnt by a restore',
        `${key} was ${digest} on the fallback, and is ${now} there`,
      );
  }
  await decide(site);
  let wrong: RuleBroken | undefined;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    // Once a loss is accepted, the next comparison may find tags that wait. Nothing else needs a second decision.
    if (!isLost(site, 0) && !isLost(site, 1)) await decide(site);
    wrong = await wrongAtTheEnd(site);
    if (!wrong) return;
    await time.pass(LOOK_EVERY_MS);
  }
  throw wrong;
}

/** The operator takes the primary's state where an edge asks for a decision. @throws RuleBroken */
async function decide(site: PairSite): Promise<void> {
  for (const edge of [0, 1])
    if (needsDecision(site, edge) && !(await site.edges.accept(edge)))
      throw new RuleBroken('all is well at the end', `edge ${edge} does not accept what the primary shows`);
}

function isLost(site: PairSite, edge: number): boolean {
  return (
    site.edges
      .app(edge)
      ?.status()
      .upstreams.some(({ lost }) => lost !== undefined) === true
  );
}

/** Whether an edge says that it waits for the operator. */
function needsDecision(site: PairSite, edge: number): boolean {
  const status = site.edges.app(edge)?.status();
  return isLost(site, edge) || status?.replication?.routes.some(({ waiting }) => waiting > 0) === true;
}

async function wrongAtTheEnd(site: PairSite): Promise<RuleBroken | undefined> {
  const { fallback, primary } = site;
  for (const [repository, { tags }] of primary.state.repositories)
    for (const [tag, digest] of tags) {
      const copy = fallback.state.tag(`${MIRROR}${repository}`, tag);
      if (copy !== digest)
        return new RuleBroken(
          'the fallback is in step at the end',
          `${repository}:${tag} is ${digest}, the copy ${copy}`,
        );
      const wrong = repository === 'canary' ? undefined : await wrongPull(site, repository, tag, digest);
      if (wrong) return wrong;
    }
  if (site.deletions === 'keep') return undefined;
  for (const [repository, { tags }] of fallback.state.repositories)
    for (const tag of tags.keys())
      if (repository.startsWith(MIRROR) && primary.state.tag(repository.slice(MIRROR.length), tag) === undefined)
        return new RuleBroken('the fallback is in step at the end', `${repository}:${tag} was deleted, and stays`);
  return undefined;
}

async function wrongPull(site: PairSite, repository: string, tag: string, digest: string) {
  for (const edge of [0, 1]) {
    const reply = await site.ask(edge, 'ann', `/v2/${repository}/manifests/${tag}`);
    const upstream = reply?.headers['x-breakwater-upstream'];
    if (reply?.status !== 200 || sha256(reply.body) !== digest || upstream !== 'harbor')
      return new RuleBroken('all is well at the end', `${repository}:${tag} at edge ${edge}: ${replyText(reply)}`);
  }
  return undefined;
}
