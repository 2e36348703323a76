import type { Client, Reply } from '../../helpers/http1-client.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { digestOf, type LedgerSite, type Policy, pathOf, push, tagWarning } from './ledger-site.ts';

export type Step =
  | { do: 'push' | 'push-past' | 'copy' | 'copy-by-digest' | 'misplace'; image: number }
  | { do: 'delete' | 'delete-past' | 'outage' | 'slow' | 'recover' }
  | { do: 'read'; method: 'GET' | 'HEAD'; client: 0 | 1 };

/** One tag through a random history, and what the edge may have been seen to know of it. */
export class TagModel {
  readonly #site: LedgerSite;
  readonly #clients: readonly Client[];
  readonly #policy: Policy;
  readonly #image: string;
  /** What the edge was last shown by the primary: a digest; null: that it is gone; undefined: nothing yet. */
  #last: string | null | undefined;
  /** What it was shown ever. */
  readonly #seen = new Set<string>();
  reads = 0;
  /** Reads for which the fallback had what is known as older. */
  tempted = 0;

  constructor(site: LedgerSite, clients: readonly Client[], policy: Policy, name: string) {
    this.#site = site;
    this.#clients = clients;
    this.#policy = policy;
    this.#image = `${policy}/${name}:1`;
  }

  /** @returns what is wrong with it, if anything is */
  async take(step: Step): Promise<string | undefined> {
    const { harbor } = this.#site;
    if (step.do === 'read') return this.#read(await this.#ask(step.method, step.client));
    if ('image' in step) return this.#move(step.do, step.image + 1);
    if (step.do === 'outage') await harbor.faults.on('errors');
    else if (step.do === 'slow')
      await harbor.faults.on('delay', { ms: timeLimit(120), kind: 'manifest', path: this.#name });
    else if (step.do === 'recover') await this.recover();
    else if (step.do === 'delete-past') this.#tags(harbor, 'inner/').delete('1');
    else if ((await this.#ask('DELETE', 0)).status === 202) this.#last = null;
    return undefined;
  }

  /** Ends all faults, and waits until the primary is asked first and pushed to. */
  async recover(): Promise<void> {
    await this.#site.recovered(this.#image);
    await this.#site.lab.edge.pushes('harbor', true);
  }

  async #move(kind: string, size: number): Promise<undefined> {
    const { harbor, gcr } = this.#site;
    if (kind === 'push-past') this.#site.put('harbor', this.#image, size);
    else if (kind === 'misplace') this.#site.put('gcr', this.#image, size);
    else if (kind === 'push') await this.#push(size);
    else {
      const found = harbor.store.manifest(`inner/${this.#name}`, '1');
      if (!found) return;
      gcr.store.keepManifest(`cloud/${this.#name}`, found.digest, found.manifest);
      if (kind === 'copy') this.#tags(gcr, 'cloud/').set('1', found.digest);
    }
  }

  async #push(size: number): Promise<void> {
    const { manifest, digest } = this.#site.put('harbor', this.#image.replace(/:1$/, ':other'), size);
    const reply = await push(this.#clients[0] as Client, this.#image, manifest);
    if (reply.status === 201) this.#shown(digest);
  }

  #shown(digest: string): void {
    this.#last = digest;
    this.#seen.add(digest);
  }

  get #name(): string {
    return this.#image.slice(0, -2);
  }

  #tags(registry: LedgerSite['harbor'], prefix: string): Map<string, string> {
    return registry.store.repository(prefix + this.#name).tags;
  }

  #ask(method: string, client: 0 | 1): Promise<Reply> {
    return (this.#clients[client] as Client).ask(pathOf(this.#image), { method });
  }

  #read(reply: Reply): string | undefined {
    this.reads += 1;
    const { harbor, gcr } = this.#site;
    const says = `${reply.status} ${digestOf(reply)} of ${reply.headers['x-breakwater-upstream']}`;
    if (reply.status === 404) {
      if (this.#tags(harbor, 'inner/').has('1')) return `${says}: it is there`;
      if (this.#last !== undefined) this.#last = null;
      return undefined;
    }
    if (reply.status === 503) {
      const stale = this.#policy === 'refuse' && typeof this.#last !== 'undefined';
      return stale || !this.#tags(gcr, 'cloud/').has('1') ? undefined : `${says}: the fallback has it`;
    }
    if (reply.status !== 200) return says;
    if (reply.headers['x-breakwater-upstream'] !== 'harbor') return this.#fromFallback(reply, says);
    const digest = digestOf(reply);
    if (digest !== this.#tags(harbor, 'inner/').get('1') && digest !== this.#last) return `${says}: harbor has another`;
    this.#shown(digest);
    return undefined;
  }

  /** The rule: what is known as older, or as deleted, is never shown in silence, and never at all with `refuse`. */
  #fromFallback(reply: Reply, says: string): string | undefined {
    const digest = digestOf(reply);
    const warning = tagWarning(reply);
    const shows = this.#tags(this.#site.gcr, 'cloud/').get('1') ?? '';
    if (shows !== this.#last && this.#seen.has(shows)) this.tempted += 1;
    // Nothing but what is current may overtake a primary that is merely slow.
    if (this.#site.harbor.faults.isOn('delay') && digest !== this.#last) return `${says}: harbor was to be waited for`;
    if (digest === this.#last) return warning && `${says}: it is current, yet ${warning}`;
    if (this.#last === undefined || this.#policy === 'serve') return undefined;
    const stale = this.#last === null || this.#seen.has(digest);
    if (stale && this.#policy === 'refuse') return `${says}: back in time, from ${this.#last}`;
    return warning ? undefined : `${says}: back in time in silence, from ${this.#last}`;
  }
}
