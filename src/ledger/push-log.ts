import { tagKey, type UpstreamTag } from './upstream-tag.ts';

/** A push of a tag that an upstream acknowledged. */
export interface AcknowledgedPush extends UpstreamTag {
  digest: string;
  /** When it was acknowledged, by the `LedgerClock`. */
  at: number;
  /** Milliseconds for which the upstream had been known to have lost content. Undefined: it was not known to. */
  lossKnownFor: number | undefined;
}

/** Pushes that are kept of each upstream. Those from while content is lost do not count: they must not crowd out the ones that show the loss. */
const MAX_PUSHES = 64;

/**
 * The last acknowledged pushes of each upstream (rule 9). Only pushes of tags: a registry may collect a manifest without a tag, so its absence
 * proves nothing.
 */
export class PushLog {
  /** Newest first. */
  readonly #pushes = new Map<string, AcknowledgedPush[]>();
  /** Called with each new entry. */
  onChange: ((push: AcknowledgedPush) => void) | undefined;

  /** Merges a push; of equal ones the latest stays. @returns whether it was news */
  add(push: AcknowledgedPush): boolean {
    const all = this.#pushes.get(push.upstream) ?? [];
    const key = pushKey(push);
    const known = all.find((one) => pushKey(one) === key);
    if (known && known.at >= push.at) return false;
    const merged = [push, ...all.filter((one) => one !== known)].sort((a, b) => b.at - a.at);
    const newest = (afterLoss: boolean) => merged.filter((one) => isAfterLoss(one) === afterLoss).slice(0, MAX_PUSHES);
    const kept = [...newest(false), ...newest(true)].sort((a, b) => b.at - a.at);
    if (!kept.includes(push)) return false;
    this.#pushes.set(push.upstream, kept);
    this.onChange?.(push);
    return true;
  }

  /** The last pushes to an upstream, newest first. */
  of(upstream: string): readonly AcknowledgedPush[] {
    return this.#pushes.get(upstream) ?? [];
  }

  /** The last pushes of a tag, newest first. */
  ofTag({ upstream, repository, tag }: UpstreamTag): readonly AcknowledgedPush[] {
    return this.of(upstream).filter((push) => push.tag === tag && push.repository === repository);
  }

  /** By the key that `pushKey` gives. */
  find(key: string): AcknowledgedPush | undefined {
    return this.of(key.slice(0, key.indexOf('\n'))).find((push) => pushKey(push) === key);
  }

  has(tag: UpstreamTag, digest: string): boolean {
    return this.find(pushKey({ ...tag, digest })) !== undefined;
  }

  forget(upstream: string): void {
    this.#pushes.delete(upstream);
  }
}

/** Whether it was acknowledged by an edge that knew of a loss. */
function isAfterLoss({ lossKnownFor }: AcknowledgedPush): boolean {
  return lossKnownFor !== undefined;
}

export function pushKey(push: UpstreamTag & { digest: string }): string {
  return `${tagKey(push)}\n${push.digest}`;
}
