import { dirname, resolve } from 'node:path';
import type { Logger } from 'pino';
import { AcmeKeeper } from '../acme/acme-keeper.ts';
import type { AcmeState } from '../acme/acme-state.ts';
import type { AcmeView, AcmeWish } from '../acme/acme-view.ts';
import { acmeOf } from '../config/acme-names.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Loaded } from '../config/load.ts';
import type { CertificatePair } from '../server/certificates.ts';

const DAY = 86_400_000;

/** The certificate that an edge orders itself, from its configuration to its listener. */
export class AcmeAtEdge {
  readonly #keeper: AcmeKeeper;
  readonly #placeholder: CertificatePair;
  readonly #log: Logger;
  readonly #identity: string;
  /** Changed by a reload. */
  hasPeers: boolean;
  /** Called when there is another certificate to serve. */
  onCertificate: (pair: CertificatePair) => void = () => undefined;

  private constructor(keeper: AcmeKeeper, placeholder: CertificatePair, log: Logger, loaded: Loaded) {
    this.#keeper = keeper;
    this.hasPeers = loaded.config.peers.length > 0;
    this.#placeholder = placeholder;
    this.#log = log;
    this.#identity = identityOf(loaded);
  }

  /** Undefined: the configuration names files. @throws ConfigError if the folder cannot be used */
  static async of(loaded: Loaded, log: Logger): Promise<AcmeAtEdge | undefined> {
    const found = acmeOf(loaded.config);
    if (!found) return undefined;
    const { acme: config, names } = found;
    let own: AcmeAtEdge | undefined;
    const keeper = new AcmeKeeper({
      ...{ config, names, ca: loaded.material.acmeCa },
      folder: config.dir === undefined ? undefined : resolve(dirname(loaded.path), config.dir),
      hasPeers: () => own?.hasPeers ?? loaded.config.peers.length > 0,
      now: () => Date.now(),
      onCertificate: (pair) => own?.onCertificate(named(pair)),
      onEvent: (level, facts, text) => log[level](facts, text),
    });
    await keeper.load().catch((error: Error) => {
      const place = { file: loaded.path, line: 0, column: 0, key: 'tls.acme.dir' };
      const remedy = 'make the folder, and give it to the user of the service';
      throw new ConfigError([{ ...place, message: error.message, remedy }]);
    });
    // Until the first certificate is there, the listener needs one that nobody trusts.
    const from = new Date(Date.now() - 3_600_000);
    const { makeLeaf } = await import('../certificates/certificate-maker.ts');
    const made = await makeLeaf({ names, from, until: new Date(Date.now() + 7 * DAY) });
    own = new AcmeAtEdge(keeper, named(made), log, loaded);
    return own;
  }

  get state(): AcmeState {
    return this.#keeper.state;
  }

  view(): AcmeView {
    return this.#keeper.view();
  }

  /** An operator wants an order now. */
  orderNow(): AcmeWish {
    const wish = this.#keeper.orderNow();
    this.#log.warn(wish, 'an operator wants a certificate to be ordered now');
    return wish;
  }

  /** What the listener serves. */
  pairs(): CertificatePair[] {
    const { pair } = this.#keeper.state;
    return [pair ? named(pair) : this.#placeholder];
  }

  start(): void {
    if (!this.#keeper.state.pair)
      this.#log.warn(
        'there is no certificate yet: clients refuse the edge until the first one was ordered, or another edge has told it',
      );
    this.#keeper.start();
  }

  stop(): void {
    this.#keeper.stop();
  }

  /** Whether another configuration wants the same certificate in the same way. */
  isFor(loaded: Loaded): boolean {
    return this.#identity === identityOf(loaded);
  }
}

/** How messages and metrics name this certificate. */
function named({ cert, key }: { cert: string; key: string }): CertificatePair {
  return { certFile: 'tls.acme', cert, key };
}

function identityOf({ config, material }: Loaded): string {
  return JSON.stringify([acmeOf(config), material.acmeCa]);
}
