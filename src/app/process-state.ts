import type { Logger } from 'pino';
import type { AcmeState } from '../acme/acme-state.ts';
import { AccessMemory } from '../auth/access-memory.ts';
import type { Loaded } from '../config/load.ts';
import { CopyIntegrity } from '../digest/copy-integrity.ts';
import { Hasher } from '../digest/hasher.ts';
import { Ledger } from '../ledger/ledger.ts';
import { LedgerClock } from '../ledger/ledger-clock.ts';
import { Peers, type PeersConfig } from '../peer/peers.ts';
import { SharedAcme } from '../peer/shared-acme.ts';
import { SharedGrants } from '../peer/shared-grants.ts';
import { SharedLedger } from '../peer/shared-ledger.ts';
import { SharedPulls } from '../peer/shared-pulls.ts';
import { SharedPushes } from '../peer/shared-pushes.ts';
import { CorruptCopyScrubber } from '../proxy/pull/corrupt-copy-scrubber.ts';
import { ManifestCache } from '../proxy/pull/manifest-cache.ts';
import { ShownRepositories } from '../proxy/pull/shown-repositories.ts';
import { Sealer } from '../proxy/request/sealer.ts';
import { PulledLog } from '../replication/coverage/pulled-log.ts';
import type { Stores } from '../status/snapshot/snapshot.ts';
import { CredentialSources } from '../upstream/credentials/credential-sources.ts';
import { BufferPool } from '../upstream/reader/buffer-pool.ts';
import { Resolver } from '../upstream/resolver.ts';
import type { Network } from '../upstream/streams.ts';
import { registryIdentity } from '../upstream/upstream.ts';
import { credentialSourceEvents } from './credential-events.ts';
import { lateEvents, peerEvents } from './peer-events.ts';

/** The state that outlives a reload of the configuration, and its exchange with the other nodes of the site. */
export class ProcessState {
  /** The clock of everything that nodes tell each other: as ages, so that no node needs the clock of another one. */
  readonly #clock = new LedgerClock();
  readonly ledger: Ledger;
  readonly manifestCache: ManifestCache;
  readonly hasher: Hasher;
  readonly copies: CopyIntegrity;
  readonly scrubber = new CorruptCopyScrubber();
  readonly pulls = new PulledLog();
  readonly shown = new ShownRepositories();
  readonly network: Required<Network>;
  /** Logins, and failed ones. */
  readonly access: AccessMemory;
  readonly peers: Peers;
  #registries: ReadonlyMap<string, string>;

  /** @param acme undefined: certificates are files */
  constructor({ config, material }: Loaded, log: Logger, acme?: AcmeState) {
    const sources = new CredentialSources({ onNews: credentialSourceEvents(log), serving: true });
    this.network = { resolver: new Resolver(), pool: new BufferPool(), sources };
    this.ledger = new Ledger({ ...config.ledger, clock: this.#clock });
    this.manifestCache = new ManifestCache(config.manifests);
    const onDeath = (error: Error) =>
      log.error({ err: error }, 'the hash thread died; the next blob starts another one');
    this.hasher = new Hasher({ onDeath });
    this.copies = new CopyIntegrity(config.verify);
    this.access = new AccessMemory(material.keys, config.auth.remember, this.#clock);
    this.#registries = registriesOf(config);
    const registries = () => this.#registries;
    const told = [
      new SharedGrants(this.access.grants),
      // Before the ledger, which must know what was pushed when it merges.
      new SharedPushes(this.ledger, registries, (at) => this.#clock.observe(at)),
      new SharedLedger(this.ledger, registries),
    ];
    this.peers = new Peers(this.#peersConfig({ config, material }), {
      stores: [...told, new SharedPulls(this.pulls), ...(acme ? [new SharedAcme(acme, () => Date.now())] : [])],
      told,
      resolver: this.network.resolver,
      now: () => this.#clock.now(),
      onState: peerEvents(log, { sights: () => this.peers.sights(), registries }),
      onLate: lateEvents(log),
    });
  }

  /** The sealer of a configuration. */
  sealerOf({ material }: Loaded): Sealer {
    return new Sealer(this.access.secretsWith(material.keys));
  }

  /** Changes to another configuration. Called before its runtime is made. */
  reload({ config, material }: Loaded): void {
    this.access.reload(material.keys, config.auth.remember);
  }

  /**
   * Tells other nodes of the new registries. Called together with forgetting the old registries of the same names.
   * @param forgot whether anything was forgotten
   */
  follow({ config, material }: Loaded, forgot: boolean): void {
    const registries = registriesOf(config);
    const same =
      registries.size === this.#registries.size &&
      [...registries].every(([name, id]) => this.#registries.get(name) === id);
    this.#registries = registries;
    this.peers.update(this.#peersConfig({ config, material }));
    if (forgot || !same) this.peers.resync();
  }

  #peersConfig({ config, material }: Pick<Loaded, 'config' | 'material'>): PeersConfig {
    return { urls: config.peers, hostname: config.hostname, secrets: this.access.secretsWith(material.keys) };
  }

  stores(): Stores {
    const { hasher, ledger, manifestCache, network } = this;
    const { manifests: kept, bytes } = manifestCache.size;
    return {
      ledger: { tags: ledger.size, evicted: ledger.evicted },
      manifests: { kept, bytes },
      buffers: { inUse: network.pool.inUseBytes, kept: network.pool.freeBytes },
      hashing: hasher.jobs,
    };
  }

  async close(): Promise<void> {
    this.peers.stop();
    this.ledger.close();
    this.access.close();
    await this.hasher.close();
  }
}

function registriesOf({ upstreams }: Loaded['config']): Map<string, string> {
  return new Map(Object.entries(upstreams).map(([name, { urls }]) => [name, registryIdentity(urls)]));
}
