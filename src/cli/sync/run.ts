import { ImageCopy } from '../../replication/copy/image-copy.ts';
import { CopyError, isRefusal } from '../../replication/copy-error.ts';
import type { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { repositoryPairs } from '../../replication/sync/repository-pairs.ts';
import { Sync } from '../../replication/sync/sync.ts';
import type { SyncEvent } from '../../replication/sync/sync-event.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { UsageError } from '../config-path.ts';
import { SyncDocument } from './document.ts';
import type { SyncPlan } from './plan.ts';
import { eventLine, isComplete, reportText, type SyncReport } from './report.ts';
import { SyncScreen } from './screen.ts';
import { SyncTally } from './tally.ts';

/** Copies, and prints progress and results. */
export class SyncRun {
  readonly #source: RemoteRegistry;
  readonly #target: RemoteRegistry;
  readonly #plan: SyncPlan;
  readonly #signal: AbortSignal;
  readonly #tally = new SyncTally();
  readonly #document: SyncDocument | undefined;

  constructor(source: RemoteRegistry, target: RemoteRegistry, plan: SyncPlan, signal: AbortSignal) {
    this.#source = source;
    this.#target = target;
    this.#plan = plan;
    this.#signal = signal;
    this.#document = plan.json ? new SyncDocument((text) => process.stdout.write(text), plan.dryRun) : undefined;
  }

  /** @returns whether the copy is complete @throws UsageError if the source does not list its repositories */
  async run(): Promise<boolean> {
    const { from, to, dryRun } = this.#plan;
    const began = performance.now();
    const screen = new SyncScreen(this.#tally);
    const end = await this.#sync(screen).finally(() => screen.end());
    const ms = performance.now() - began;
    const newer = this.#plan.existing === 'newer';
    const report = { from, to, dryRun, end, newer, ms, notes: await this.#notes(end) };
    if (this.#document) this.#document.end(this.#tally, report);
    else process.stdout.write(reportText(this.#tally, report));
    return isComplete(this.#tally, report);
  }

  async #sync(screen: SyncScreen): Promise<SyncReport['end']> {
    const { dryRun, blobs: concurrentBlobs, maxBandwidth, names, canary, ledger } = this.#plan;
    const sync = new Sync({
      ...this.#plan,
      source: this.#source,
      target: this.#target,
      copy: dryRun ? undefined : new ImageCopy({ concurrentBlobs, maxBandwidth }),
      copyLast: canary && ((image) => canary.isIn(image)),
      namedRepositories: names !== undefined,
      ...(ledger ? { statesOf: (repository, tag) => ledger.statesOf(repository, tag) } : {}),
      onEvent: (event) => this.#onEvent(event, screen),
    });
    try {
      return await sync.run(this.#pairs(), this.#signal);
    } catch (error) {
      this.#listFailed(error);
      return 'failed';
    }
  }

  async *#pairs() {
    const { offered } = this.#tally;
    for await (const pair of repositoryPairs({ source: this.#source, ...this.#plan }, this.#signal)) {
      offered.count += 1;
      yield pair;
    }
    offered.all = true;
  }

  #onEvent(event: SyncEvent, screen: SyncScreen): void {
    this.#tally.addEvent(event);
    this.#document?.addEvent(event);
    // On a terminal the bars show the images that were copied.
    const isDrawn = event.kind === 'copied' && screen.hasBars && process.stdout.isTTY;
    if (this.#document || isDrawn) return;
    const line = eventLine(event, this.#plan.dryRun);
    if (line !== undefined) screen.line(line);
  }

  /** A registry that refuses to list its repositories will not do so after a retry. */
  #listFailed(error: unknown): void {
    if (!(error instanceof CopyError || error instanceof UpstreamError)) throw error;
    const refused = isRefusal(error);
    const reason = `${error.message}${refused ? '; name the repositories with --repository or --repository-file' : ''}`;
    if (refused && this.#tally.offered.count === 0) throw new UsageError(reason);
    this.#tally.fail(reason);
  }

  async #notes(end: SyncReport['end']): Promise<string[]> {
    const { from, dryRun, ledger } = this.#plan;
    const redirected = this.#tally.failures.some(({ reason }) => reason.includes('redirects.hosts'));
    return [
      ...(redirected && /^https?:/i.test(from)
        ? ['Name the storage that FROM redirects to with --from-redirect-host.']
        : []),
      ...(ledger?.failure === undefined
        ? []
        : [`The ledger is not known, so only times were compared: ${ledger.failure}`]),
      ...(end === 'done' && !dryRun ? await this.#canaryNotes() : []),
    ];
  }

  async #canaryNotes(): Promise<string[]> {
    try {
      return (await this.#plan.canary?.missingNote(this.#target, this.#signal)) ?? [];
    } catch (error) {
      const { name } = this.#target;
      return [`It is unknown whether ${name} has its canary: ${error instanceof Error ? error.message : error}`];
    }
  }
}
