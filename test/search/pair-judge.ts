import type { Reply } from '../helpers/http1-client.ts';
import { sha256 } from '../helpers/lab-site.ts';
import type { PairSite } from './pair-site.ts';
import { EdgeKnowledge, TagTruth } from './tag-truth.ts';

export type Rule =
  | 'nothing acknowledged is lost'
  | 'no tag goes back in silence'
  | 'no 404 for what exists'
  | 'nobody gets what the primary hides'
  | 'what was acknowledged is not unlearnt by a restore'
  | 'peers hear before the reply'
  | 'a right password is not called wrong'
  | 'the fallback is in step at the end'
  | 'all is well at the end'
  | 'an edge answers';

/** The rule that a schedule broke, and how. */
export class RuleBroken extends Error {
  constructor(rule: Rule, text: string) {
    super(`${rule}: ${text}`);
  }
}

/** An answer to a pull. */
export interface Pulled {
  edge: number;
  user: string;
  repository: string;
  tag: string;
  reply: Reply | undefined;
  /** Whether the primary has what was asked for. */
  exists: boolean;
  /** For the text of a find. */
  what: string;
}

/** Milliseconds after which an edge that has heard nothing of its peer is not in step. */
const IN_STEP_MS = 1500;
/** A warning that names the tag, not only that a fallback answered. */
const NAMED = /\btag \S+ at \S+ is |\bmanifest sha256:\w+ at /;

/** What the primary has had, what each edge must know of it, and so which answers are right. */
export class PairJudge {
  readonly truth = new TagTruth();
  readonly #site: PairSite;
  readonly #known: [EdgeKnowledge, EdgeKnowledge] = [new EdgeKnowledge(), new EdgeKnowledge()];
  /**
   * The order of the last push that an edge has acknowledged, or of what the operator has accepted. While that push is there, the primary has
   * lost nothing that the edges can know of (rule 9). They may take what an earlier restore made of a tag for a change, and nothing shows
   * later that they did.
   */
  #settledAt = 0;

  constructor(site: PairSite) {
    this.#site = site;
  }

  knowledge(edge: number): EdgeKnowledge {
    return this.#known[edge === 0 ? 0 : 1];
  }

  /** The edge was killed. */
  forget(edge: number): void {
    this.#known[edge === 0 ? 0 : 1] = new EdgeKnowledge();
  }

  /** What the edges have heard of each other. */
  exchange(): void {
    for (const edge of [0, 1]) {
      const heardAt = this.#site.edges.heardAt(edge);
      if (heardAt !== undefined) this.knowledge(edge).merge(this.knowledge(1 - edge), heardAt, Date.now());
    }
  }

  /** An edge was shown the newest state of a tag, or acknowledged it: as a push, or a deletion. */
  learn(edge: number, key: string, how: { pushed?: boolean; acknowledged?: boolean } = {}): void {
    const { pushed = false, acknowledged = pushed } = how;
    const newest = this.truth.newest(key);
    if (!newest) return;
    const { digest, order } = newest;
    const fact = { digest, order, learntAt: Date.now(), pushed };
    this.knowledge(edge).learn(key, fact);
    const heardAt = this.#site.edges.isRunning(1 - edge) ? this.#site.edges.heardAt(1 - edge) : undefined;
    const inStep = heardAt !== undefined && Date.now() - heardAt < IN_STEP_MS && this.#site.edges.connected;
    if (acknowledged && inStep) this.knowledge(1 - edge).learn(key, { ...fact, byReply: true });
    if (pushed) this.#settledAt = Math.max(this.#settledAt, order);
  }

  /** The primary has gone back to an earlier state. */
  restored(key: string, digest: string | null): void {
    this.truth.note(key, digest, true);
  }

  /** The operator has told an edge that what the primary shows is right. While the primary fails, the edge cannot read its tags. */
  accepted(edge: number): void {
    for (const key of this.truth.tags) {
      if (this.#isWell) this.learn(edge, key);
      this.#settledAt = Math.max(this.#settledAt, this.truth.newest(key)?.order ?? 0);
    }
  }

  /** What both edges can know to be lost: the tag, and the digest that was acknowledged. */
  lost(): { key: string; digest: string }[] {
    return this.truth.tags.flatMap((key) => {
      const digest = this.knowledge(0).newest(key)?.digest;
      return digest && [0, 1].every((edge) => this.#isLost(edge, key)) ? [{ key, digest }] : [];
    });
  }

  /** Whether the primary answers as it should, even if slowly. */
  get #isWell(): boolean {
    const { fault } = this.#site.primary;
    return fault === undefined || fault === 'slow';
  }

  /** Whether an edge can know that the primary has lost what it had acknowledged for this tag (rule 9). */
  #isLost(edge: number, key: string): boolean {
    const newest = this.truth.newest(key);
    if (newest?.restored !== true || newest.order <= this.#settledAt) return false;
    const isThere = (tag: string, digest: string | null) =>
      digest !== null && this.#site.primary.state.manifest(tag.split(':')[0] ?? '', digest) !== undefined;
    const pushes = this.knowledge(edge).pushes();
    const own = pushes.find(({ tag }) => tag === key);
    if (!own || this.knowledge(edge).newest(key)?.order !== own.order || isThere(key, own.digest)) return false;
    // A comparison of the edge may have seen the tag elsewhere since, and then the push says nothing any more.
    const stands = ({ tag, order }: { tag: string; order: number }) =>
      this.truth.changesAfter(tag, order).every((state) => this.knowledge(edge).knows(tag, state.order));
    const evidence = [own, ...pushes.slice(0, 2)];
    // What the edge knows only by a reply of its peer may show it that only newer pushes are gone, and a single one is no loss.
    const since = Math.min(...evidence.map(({ order }) => order));
    const isSeen = this.knowledge(edge)
      .pushes(true)
      .some(({ tag, digest, order }) => order > since && isThere(tag, digest));
    return pushes.length > 1 && !isSeen && evidence.every((one) => stands(one) && !isThere(one.tag, one.digest));
  }

  /** What holds for every answer. @throws RuleBroken */
  judge({ edge, user, repository, tag, reply, exists, what }: Pulled): void {
    const key = `${repository}:${tag}`;
    const said = `${user} at edge ${edge}, ${what}: ${replyText(reply)}`;
    if (!reply?.complete || (reply.status >= 500 && reply.status !== 503))
      throw new RuleBroken('an edge answers', said);
    if (user === 'bob' && repository.startsWith('team/')) {
      // In an outage, an edge in `auth.mode: open` has no upstream to ask what the user may see.
      const canHide = this.#site.mode === 'delegate' || (this.#isWell && this.#site.seemsWell(edge));
      if (reply.status === 200 && canHide) throw new RuleBroken('nobody gets what the primary hides', said);
      return;
    }
    if ((reply.status === 401 || reply.status === 403) && this.#isWell)
      throw new RuleBroken('a right password is not called wrong', said);
    if (reply.status !== 404) return;
    if (exists || !this.#isWell) throw new RuleBroken('no 404 for what exists', said);
    // A 404 to the client's own credentials may hide the repository from this client (rule 3).
    if (this.#site.mode === 'delegate' && this.#isLost(edge, key))
      throw new RuleBroken('what was acknowledged is not unlearnt by a restore', said);
  }

  /** What holds for the answer to a pull by tag, too. @throws RuleBroken */
  judgeTag(pulled: Pulled): void {
    this.judge(pulled);
    const { edge, user, repository, tag, reply } = pulled;
    if (reply?.status !== 200) return;
    const key = `${repository}:${tag}`;
    const primary = this.#site.primary.state.tag(repository, tag);
    const digest = sha256(reply.body);
    const warning = [reply.headers.warning ?? []].flat().join();
    const known = this.knowledge(edge).newest(key);
    const isLost = this.#isLost(edge, key);
    const said = `${user} at edge ${edge}, ${key}: ${replyText(reply)} ${digest}; the primary has ${primary}, the edge knows of ${known?.digest}`;
    if (this.truth.orderOf(key, digest) === 0)
      throw new RuleBroken('no tag goes back in silence', `never there: ${said}`);
    if (isLost && digest !== known?.digest && !NAMED.test(warning))
      throw new RuleBroken('what was acknowledged is not unlearnt by a restore', said);
    if (warning === '' && digest !== (isLost ? known?.digest : primary))
      throw new RuleBroken('no tag goes back in silence', `without a word: ${said}`);
    if (reply.headers['x-breakwater-upstream'] === 'harbor') {
      if (digest === primary) this.learn(edge, key);
    } else if (known && this.truth.orderOf(key, digest, { restores: !isLost }) < known.order) {
      const rule = known.byReply ? 'peers hear before the reply' : 'no tag goes back in silence';
      if (!NAMED.test(warning)) throw new RuleBroken(rule, `without its name: ${said}`);
      if (this.#site.staleTags === 'refuse' && this.knowledge(edge).hasSeen(key, digest))
        throw new RuleBroken(rule, `though staleTags is refuse: ${said}`);
    }
  }
}

export function replyText(reply: Reply | undefined): string {
  if (!reply) return 'no reply';
  const { 'x-breakwater-upstream': upstream, warning } = reply.headers;
  const message = reply.status < 400 ? '' : reply.body.toString().slice(0, 300);
  return [reply.status, reply.complete ? '' : 'cut', upstream, warning, message].filter(Boolean).join(' ');
}
