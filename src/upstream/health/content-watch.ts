import { setTimeout as wait } from 'node:timers/promises';
import { monotonicNow } from '../../clock/clock.ts';
import type { CredentialRole } from '../../failover/credentials.ts';
import {
  type ContentAnswer,
  type ContentTrust,
  type ContentVerdict,
  endsLook,
  type FoundPush,
  judgeContent,
  type PushEvidence,
  type StandingPush,
} from '../../failover/lost-content.ts';
import type { CanaryState, ContentLoss, UnseenContent } from '../../failover/view.ts';
import { imageName } from '../../oci/reference.ts';
import { asUpstreamError } from '../upstream-error.ts';
import { LookQueue } from './look-queue.ts';

export interface ContentWatchOptions {
  /** Whose credentials look. Undefined: the edge has none that could, so nothing looks. */
  reader: CredentialRole | undefined;
  /** What asks the upstream. Undefined: nothing can look. */
  looker: () => ContentLooker | undefined;
  /** Called when content is found to be lost; undefined: it is no longer missed. */
  onNews: (loss: ContentLoss | undefined) => void;
  now?: () => number;
}

/** Asks one URL of an upstream, in whatever state it is: the canary tells whether its answers count. */
export interface ContentLooker {
  /** Looks for a pushed image. May reject. */
  find: (push: StandingPush) => Promise<FoundPush>;
  /** Reads the canary; the read begins after the call. Never rejects. */
  confirmCanary: () => Promise<CanaryState>;
}

const BELIEVED: Promise<ContentTrust> = Promise.resolve('believed');
const LOST: Promise<ContentTrust> = Promise.resolve('lost');
/** Pushes that are asked for at once. */
const AT_ONCE = 4;
/** Milliseconds that a read waits for a look. */
const WAIT_MS = 2500;
/** Milliseconds after which it is tried again what the credentials may read. */
const RIGHTS_MS = 300_000;
/** The same after a look that was interrupted. */
const RETRY_MS = 5000;
/** Milliseconds between two looks for what is known to be gone. */
const RECHECK_MS = 10_000;
const MAX_NAMED = 4;

/** Whether an upstream still has what it acknowledged (rule 9): looks for the newest pushes, and remembers a loss until it is accepted. */
export class ContentWatch {
  /** The acknowledged pushes that still stand, newest first. */
  pushes: () => readonly StandingPush[] = () => [];
  readonly #options: ContentWatchOptions;
  readonly #now: () => number;
  #loss: { loss: ContentLoss; gone: readonly StandingPush[] } | undefined;
  /** When the last look began that found all well. Before the first look nothing is missed. */
  #soundAt: number;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** What the last looks were not allowed to read. */
  #unseen: UnseenContent | undefined;
  /** When the last look began that told what the credentials may read, and when that is due again. */
  #rightsAt = Number.NEGATIVE_INFINITY;
  #rightsDueAt = Number.NEGATIVE_INFINITY;
  readonly #looks: LookQueue;
  /** The look that began last, while it is under way. */
  #latest: Promise<ContentTrust> | undefined;
  /** When the look began that has changed what is known last. */
  #judgedAt = Number.NEGATIVE_INFINITY;
  #recheckedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ContentWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
    this.#soundAt = this.#now();
    this.#looks = new LookQueue(() => this.#start(), this.#now);
    const { reader } = options;
    if (reader === undefined) this.#unseen = { since: this.#soundAt, reader, repositories: [] };
  }

  /** Where lost content would not be noticed; undefined: nowhere that is known of. */
  get unseen(): UnseenContent | undefined {
    return this.#unseen;
  }

  /** The content that is known to be lost; undefined: none. The loss ends once none of the pushes that are gone stands any more. */
  get lost(): ContentLoss | undefined {
    if (this.#loss && this.missed.length === 0) this.#end();
    return this.#loss?.loss;
  }

  /** Pushes that are known to be gone, and still stand. */
  get missed(): readonly StandingPush[] {
    const standing = this.pushes();
    return (this.#loss?.gone ?? []).filter((push) => standing.some((one) => isSame(one, push)));
  }

  /**
   * Whether an upstream is believed that lacks content or takes back a tag, by a look that begins after this call.
   * @param maxAgeMs a look that began so many milliseconds before will do
   * @param client for which client; undefined: for the edge itself
   */
  ask(maxAgeMs = 0, client?: string): ContentAnswer {
    const isRecent = maxAgeMs > 0 && this.#lookedAt > this.#now() - maxAgeMs;
    const settled = this.lost ? LOST : isRecent && !this.#latest ? BELIEVED : undefined;
    if (settled) return { soon: settled, last: settled };
    const last = (isRecent && this.#latest) || this.look(client);
    return { soon: withinWait(last), last };
  }

  /**
   * Looks for the newest pushes. Never rejects. The look begins after this call; simultaneous calls for a client share one.
   * @param client undefined: for the edge itself
   */
  look(client?: string): Promise<ContentTrust> {
    return this.pushes().length === 0 ? this.#start() : this.#looks.look(client);
  }

  /** Looks if it is not known, or was not for a while, whether the credentials may read what was pushed. Called at each probe. */
  lookIfDue(): void {
    const { reader } = this.#options;
    if (reader === undefined || this.#now() < this.#rightsDueAt) return;
    // The rights of a probe are doubtful: it needs those to its canary only.
    const [newest] = reader === 'probe' ? this.pushes() : [];
    if (this.#unseen || (newest && newest.at > this.#rightsAt)) void this.look();
  }

  /**
   * Looks again for what is known to be gone: it may have been restored, copied back or pushed again since. Never rejects.
   * @param maxAgeMs a look that began so many milliseconds before will do
   */
  async recheck(maxAgeMs = RECHECK_MS): Promise<void> {
    const looker = this.#options.looker();
    if (!looker || !this.lost || this.#recheckedAt > this.#now() - maxAgeMs) return;
    this.#recheckedAt = this.#now();
    const { loss, gone: all = [] } = this.#loss ?? {};
    // What a later push of the same tag has replaced does not come back with it.
    const gone = all.filter(({ overwritten }) => !overwritten);
    const left: StandingPush[] = [];
    for (let index = 0; index < gone.length; index += AT_ONCE) {
      const asked = gone.slice(index, index + AT_ONCE);
      const found = await Promise.all(asked.map((push) => looker.find(push).catch((): FoundPush => 'unclear')));
      left.push(...asked.filter((_, place) => found[place] !== 'there'));
    }
    // Another look may have found more meanwhile, or an end.
    if (!loss || this.#loss?.loss !== loss || left.length === gone.length) return;
    if (left.length > 0) this.#loss = { loss: { ...loss, gone: left.length, images: namesOf(left) }, gone: left };
    else this.#end();
  }

  #start(): Promise<ContentTrust> {
    const look = this.#run().finally(() => {
      if (this.#latest === look) this.#latest = undefined;
    });
    this.#latest = look;
    return look;
  }

  async #run(): Promise<ContentTrust> {
    if (this.pushes().length === 0) {
      this.#soundAt = this.#now();
      if (this.#options.reader !== undefined) this.#unseen = undefined;
      return 'believed';
    }
    const began = this.#now();
    this.#lookedAt = began;
    const looker = this.#options.looker();
    if (!looker) return 'believed';
    const known = this.lost !== undefined;
    const facts = { soundAt: this.#soundAt, known, now: began };
    const asked = await this.#find(looker, facts);
    this.#noteUnseen(asked, began);
    const judged = judgeContent(asked, { ...facts, canary: await looker.confirmCanary() });
    this.#apply(judged, asked, began);
    if (this.lost) return 'lost';
    return judged.verdict === 'unclear' ? 'unclear' : 'believed';
  }

  async #find(
    { find }: ContentLooker,
    facts: Parameters<typeof endsLook>[1],
  ): Promise<(StandingPush & PushEvidence)[]> {
    const asked: (StandingPush & PushEvidence)[] = [];
    const standing = this.pushes();
    for (let index = 0; index < standing.length; index += AT_ONCE) {
      const denied = new Set(asked.filter(({ found }) => found === 'denied').map(({ repository }) => repository));
      const ask = async (push: StandingPush) => (denied.has(push.repository) ? 'denied' : find(push).catch(failureOf));
      const found = await Promise.all(
        standing
          .slice(index, index + AT_ONCE)
          .map(async (push) => ({ ...push, found: await ask(push), missed: this.#isMissed(push) })),
      );
      asked.push(...found);
      if (endsLook(asked, facts)) break;
    }
    return asked;
  }

  #isMissed(push: StandingPush): boolean {
    return this.#loss?.gone.some((one) => isSame(one, push)) === true;
  }

  /** A look that was interrupted says nothing about rights. */
  #noteUnseen(asked: readonly (StandingPush & PushEvidence)[], began: number): void {
    const isInterrupted = asked.some(({ found }) => found === 'unclear');
    this.#rightsDueAt = began + (isInterrupted ? RETRY_MS : RIGHTS_MS);
    if (isInterrupted) return;
    this.#rightsAt = began;
    const denied = asked.filter(({ found }) => found === 'denied').map(({ repository }) => repository);
    const since = this.#unseen?.since ?? began;
    const repositories = [...new Set(denied)];
    this.#unseen = denied.length > 0 ? { since, reader: this.#options.reader, repositories } : undefined;
  }

  #apply(judged: ContentVerdict, asked: readonly (StandingPush & PushEvidence)[], began: number): void {
    if (judged.verdict !== 'intact' && judged.verdict !== 'lost') return;
    // A look that began later knows better.
    if (began < this.#judgedAt) return;
    this.#judgedAt = began;
    if (judged.verdict === 'intact') {
      this.#soundAt = began;
      if (this.#loss) this.#end();
    }
    if (judged.verdict !== 'lost') return;
    const gone = asked.filter(({ found, at }) => found === 'gone' && at >= judged.since);
    const isNews = this.#loss === undefined;
    const loss: ContentLoss = {
      since: judged.since,
      noticedAt: this.#loss?.loss.noticedAt ?? began,
      gone: judged.gone,
      images: namesOf(gone),
    };
    this.#loss = { loss, gone };
    if (isNews) this.#options.onNews(loss);
  }

  #end(): void {
    this.#loss = undefined;
    this.#soundAt = this.#now();
    this.#options.onNews(undefined);
  }
}

async function withinWait(look: Promise<ContentTrust>): Promise<ContentTrust> {
  const control = new AbortController();
  const late = wait(WAIT_MS, 'unclear' as const, { signal: control.signal, ref: false }).catch(
    () => 'unclear' as const,
  );
  const trust = await Promise.race([look, late]);
  control.abort();
  return trust;
}

/** What is known of a push if looking for it failed. */
function failureOf(error: unknown): FoundPush {
  return asUpstreamError(error).reason === 'credentials' ? 'denied' : 'unclear';
}

/** Some of the images, each once. */
function namesOf(pushes: readonly StandingPush[]): string[] {
  return [...new Set(pushes.map(({ repository, tag }) => imageName(repository, tag)))].slice(0, MAX_NAMED);
}

function isSame(one: StandingPush, other: StandingPush): boolean {
  return one.repository === other.repository && one.tag === other.tag && one.digest === other.digest;
}
