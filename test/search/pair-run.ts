import { MANIFEST_TYPE, manifestOf, sha256 } from '../helpers/lab-site.ts';
import { judgeEnd } from './pair-end.ts';
import { PairJudge, RuleBroken } from './pair-judge.ts';
import { type Hook, type PairSchedule, type Place, REPOSITORIES, type Step, TAGS } from './pair-schedule.ts';
import type { PairSite } from './pair-site.ts';
import { RegistryState } from './registry-state.ts';
import type { RegistryFault } from './stateful-registry.ts';

/** Plays the steps of a schedule, and holds each answer against what it may be. */
export class PairRun {
  readonly #site: PairSite;
  readonly #schedule: PairSchedule;
  readonly #judge: PairJudge;
  /** Manifests with their blob, by digest. */
  readonly #images = new Map<string, { manifest: Buffer; blob: Buffer }>();
  #snapshot: RegistryState;
  #steps = 0;
  /** What the fallback had at the last restore. */
  #copied = new RegistryState();

  constructor(site: PairSite, schedule: PairSchedule) {
    this.#site = site;
    this.#schedule = schedule;
    this.#judge = new PairJudge(site);
    this.#snapshot = site.primary.state.copy();
    site.primary.onChange = (repository, tag, digest) => this.#judge.truth.note(`${repository}:${tag}`, digest);
  }

  /** @throws RuleBroken */
  async run(): Promise<void> {
    this.#seed();
    await this.#site.time.pass(1500);
    for (const step of this.#schedule.steps) {
      await this.#step(step);
      this.#judge.exchange();
    }
    await judgeEnd(this.#site, this.#judge, this.#copied);
  }

  /** What was there before the edges. */
  #seed(): void {
    for (const repository of REPOSITORIES)
      for (const tag of TAGS.slice(0, 2)) {
        const digest = this.#newImage();
        const { manifest, blob } = this.#images.get(digest) as { manifest: Buffer; blob: Buffer };
        this.#site.primary.state.put(repository, tag, manifest, blob);
        this.#judge.truth.note(`${repository}:${tag}`, digest);
      }
    this.#snapshot = this.#site.primary.state.copy();
  }

  async #step(step: Step): Promise<void> {
    const { edges, time } = this.#site;
    this.#steps += 1;
    switch (step.do) {
      case 'push':
        return this.#push(step.edge, step, step.old);
      case 'pull':
        return this.#pull(step);
      case 'delete':
        return this.#delete(step.edge, step, step.by);
      case 'change':
        return this.#change(step);
      case 'retention':
        return this.#retention(step);
      case 'snapshot':
        this.#snapshot = this.#site.primary.state.copy();
        return;
      case 'restore':
        return this.#restore();
      case 'restart':
        for (const edge of step.edges) await this.#kill(edge);
        for (const edge of step.edges) await edges.start(edge);
        return time.pass(0);
      case 'kill':
        return this.#kill(step.edge);
      case 'start':
        return edges.start(step.edge);
      case 'fault':
        return this.#fault(step.where, step.fault);
      case 'heal':
        return this.#fault(step.where, undefined);
      case 'accept':
        if (edges.isRunning(step.edge) && (await edges.accept(step.edge))) this.#judge.accepted(step.edge);
        return;
      case 'connect':
        edges.connected = step.connected;
        return;
      case 'pass':
        return time.pass(step.ms);
    }
  }

  #fault(where: 'primary' | 'fallback', fault: RegistryFault | undefined): void {
    this.#site[where].fault = fault;
    this.#site[where].faultSetAt = this.#site.time.now;
  }

  async #kill(edge: number): Promise<void> {
    await this.#site.edges.kill(edge);
    this.#judge.forget(edge);
  }

  #nameOf({ repository, tag }: Place): { repository: string; tag: string; key: string } {
    const [name, text] = [REPOSITORIES[repository] ?? '', TAGS[tag] ?? ''];
    return { repository: name, tag: text, key: `${name}:${text}` };
  }

  #newImage(): string {
    const blob = Buffer.from(`blob of step ${this.#steps}, ${this.#images.size}`);
    const manifest = manifestOf(blob, blob);
    const digest = sha256(manifest);
    this.#images.set(digest, { manifest, blob });
    return digest;
  }

  /** An older image of the tag, or a new one. */
  #image(key: string, old: boolean): { digest: string; manifest: Buffer; blob: Buffer } {
    const [earlier] = old ? this.#judge.truth.digests(key).slice(-2) : [];
    const digest = earlier ?? this.#newImage();
    const image = this.#images.get(digest);
    if (!image) throw new Error(`no image ${digest}`);
    return { digest, ...image };
  }

  async #push(edge: number, place: Place, old: boolean): Promise<void> {
    if (!this.#site.edges.isRunning(edge)) return;
    const { repository, tag, key } = this.#nameOf(place);
    const { digest, manifest, blob } = this.#image(key, old);
    const base = `/v2/${repository}`;
    const ask = (path: string, more: { method: string; body?: Buffer; type?: string }) =>
      this.#site.ask(edge, 'ann', path, { ...more, forPush: true });
    const there = await ask(`${base}/blobs/${sha256(blob)}`, { method: 'HEAD' });
    if (there?.status !== 200) {
      const begun = await ask(`${base}/blobs/uploads/`, { method: 'POST' });
      if (begun?.status !== 202) return;
      const to = `${begun.headers.location}?digest=${sha256(blob)}`;
      const put = await ask(to, { method: 'PUT', body: blob, type: 'application/octet-stream' });
      if (put?.status !== 201) return;
    }
    const pushed = await ask(`${base}/manifests/${tag}`, { method: 'PUT', body: manifest, type: MANIFEST_TYPE });
    if (pushed?.status !== 201) return;
    if (this.#site.primary.state.tag(repository, tag) !== digest)
      throw new RuleBroken('nothing acknowledged is lost', `${key} was acknowledged, and is not on the primary`);
    this.#judge.learn(edge, key, { pushed: true });
  }

  async #delete(edge: number, place: Place, by: 'tag' | 'digest'): Promise<void> {
    const { repository, tag, key } = this.#nameOf(place);
    const digest = this.#site.primary.state.tag(repository, tag);
    if (!this.#site.edges.isRunning(edge) || digest === undefined) return;
    const before = this.#judge.truth.newest(key);
    const path = `/v2/${repository}/manifests/${by === 'tag' ? tag : digest}`;
    const reply = await this.#site.ask(edge, 'ann', path, { method: 'DELETE' });
    const newest = this.#judge.truth.newest(key);
    if (reply?.status !== 202 || newest?.digest !== null || newest === before) return;
    if (by === 'tag' || this.#judge.knowledge(edge).newest(key)?.digest === digest)
      this.#judge.learn(edge, key, { acknowledged: true });
  }

  async #change({ to, hook, edge, ...place }: Step & { do: 'change' }): Promise<void> {
    const { repository, tag, key } = this.#nameOf(place);
    const { state } = this.#site.primary;
    const before = state.tag(repository, tag);
    if (to === 'nothing') {
      if (before === undefined) return;
      state.delete(repository, tag);
      this.#judge.truth.note(key, null);
      return this.#hook(edge, hook, 'DELETE_ARTIFACT', repository, [{ tag, digest: before }]);
    }
    const { digest, manifest, blob } = this.#image(key, to === 'old');
    state.put(repository, tag, manifest, blob);
    this.#judge.truth.note(key, digest);
    return this.#hook(edge, hook, 'PUSH_ARTIFACT', repository, [{ tag, digest }]);
  }

  async #retention({ repository: index, keep, hook, edge }: Step & { do: 'retention' }): Promise<void> {
    const repository = REPOSITORIES[index] ?? '';
    const { tags, manifests } = this.#site.primary.state.repository(repository);
    const kept = tags.get(TAGS[keep] ?? '');
    const gone = [...tags].filter(([, digest]) => digest !== kept).map(([tag, digest]) => ({ tag, digest }));
    for (const { tag, digest } of gone) {
      tags.delete(tag);
      manifests.delete(digest);
      this.#judge.truth.note(`${repository}:${tag}`, null);
    }
    if (gone.length > 0) await this.#hook(edge, hook, 'TAG_RETENTION', repository, gone);
  }

  /** Hooks get lost, and come twice. */
  async #hook(
    edge: number,
    hook: Hook,
    type: string,
    repository: string,
    resources: readonly { tag: string; digest: string }[],
  ): Promise<void> {
    if (hook === 'none' || !this.#site.edges.isRunning(edge)) return;
    await this.#site.time.pass(5);
    const [project = '', name = ''] = repository.split('/');
    const event_data = { resources, repository: { repo_full_name: repository, namespace: project, name } };
    for (const _ of hook === 'twice' ? [1, 2] : [1])
      await this.#site.hook(edge, { type, occur_at: Math.floor(Date.now() / 1000), operator: 'x', event_data });
  }

  #restore(): void {
    const { fallback, primary } = this.#site;
    const lost = primary.state;
    primary.state = this.#snapshot.copy();
    this.#copied = fallback.state.copy();
    for (const key of this.#judge.truth.tags) {
      const [repository = '', tag = ''] = key.split(':');
      const now = primary.state.tag(repository, tag) ?? null;
      if ((lost.tag(repository, tag) ?? null) !== now) this.#judge.restored(key, now);
    }
  }

  async #pull({ edge, user, by, back, ...place }: Step & { do: 'pull' }): Promise<void> {
    if (!this.#site.edges.isRunning(edge)) return;
    const { repository, tag, key } = this.#nameOf(place);
    const { state } = this.#site.primary;
    const get = (kind: string, reference: string) =>
      this.#site.ask(edge, user, `/v2/${repository}/${kind}/${reference}`);
    const about = { edge, user, repository, tag };
    if (by === 'tag') {
      const exists = state.tag(repository, tag) !== undefined;
      return this.#judge.judgeTag({ ...about, reply: await get('manifests', tag), exists, what: key });
    }
    const digest = this.#judge.truth.digests(key).at(-1 - back);
    if (digest === undefined) return;
    const blob = sha256(this.#images.get(digest)?.blob ?? '');
    const reply = by === 'blob' ? await get('blobs', blob) : await get('manifests', digest);
    const stored = state.repositories.get(repository);
    const exists = (by === 'blob' ? stored?.blobs.has(blob) : stored?.manifests.has(digest)) === true;
    this.#judge.judge({ ...about, reply, exists, what: `${key} by ${by}` });
  }
}
