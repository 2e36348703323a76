import { Readable } from 'node:stream';
import { monotonicNow } from '../clock/clock.ts';
import type { Secrets } from '../config/material.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { REDIRECTS } from '../failover/classify.ts';
import type { CredentialRole } from '../failover/credentials.ts';
import { AddressGuard } from './address-guard.ts';
import { mayGetCredentials, type Reach, reachOf } from './allowed-hosts.ts';
import { dropBody } from './body/explanatory-body.ts';
import { type Answer, type Call, type CallElsewhere, Client } from './client.ts';
import { Authorizer } from './credentials/authorizer.ts';
import { holdUsers } from './credentials/configured-users.ts';
import { checkCredentials } from './credentials/credential-check.ts';
import { CredentialSources, type HeldUser } from './credentials/credential-sources.ts';
import {
  databaseAnswers,
  type Expiry,
  type HarborGet,
  isKnownToApi,
  robotExpiry,
  secretExpiry,
} from './credentials/harbor-account.ts';
import type { Login, OwnUser, RenewalView } from './credentials/own-user.ts';
import { fetchToken, usableChallenge } from './credentials/token-service.ts';
import { UserTokens } from './credentials/user-tokens.ts';
import { redirectTarget } from './redirect.ts';
import { withOwnDeadline } from './request-deadline.ts';
import { type Network, type StreamAnswer, Streams } from './streams.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { Provenance, UpstreamAnswer, UpstreamCall, UpstreamStream, UpstreamWrite } from './upstream-call.ts';
import { asUpstreamError, UpstreamError } from './upstream-error.ts';

/** Sends requests whose answers are read whole, or ones whose answers are streamed. */
interface RequestSender<A> {
  send(call: Call): Promise<A>;
  sendElsewhere(url: URL, call: CallElsewhere): Promise<A>;
}

/** Milliseconds for which an upstream without a challenge counts as open. */
const NO_CHALLENGE_MS = 60_000;
const MAX_REDIRECTS = 5;
/** Connections beside those of clients: for probes, token requests and catalog pages. */
const EXTRA_CONNECTIONS = 16;

/** Sends requests to one URL of an upstream: base path, credentials, redirects. */
export class Connection {
  readonly url: URL;
  readonly kind: UpstreamConfig['probe']['kind'];
  readonly #base: string;
  readonly #client: Client;
  readonly #streams: Streams;
  readonly #config: UpstreamConfig;
  readonly #authorizer: Authorizer | undefined;
  readonly #probeAuthorizer: Authorizer;
  /** For probes while the upstream refuses those of the probe. */
  readonly #fallbackAuthorizer: Authorizer;
  readonly #accounts: Partial<Record<CredentialRole, Authorizer>>;
  readonly #held: readonly HeldUser[];
  #userTokens: UserTokens | undefined;
  readonly #reach: Reach;
  readonly #onRefusedRealm: ((host: string) => void) | undefined;
  /** Until when the upstream counts as open; monotonic milliseconds. */
  #noChallengeUntil = 0;

  /** @param onRefusedRealm called with the host of a token service that a challenge names and that may not be asked */
  constructor(
    url: string,
    config: UpstreamConfig,
    secrets: Secrets,
    network: Network,
    onRefusedRealm?: (host: string) => void,
  ) {
    this.url = new URL(url);
    this.#base = this.url.pathname.replace(/\/+$/, '');
    this.#config = config;
    this.kind = config.probe.kind;
    const connections = config.maxInFlight.data + config.maxInFlight.control + EXTRA_CONNECTIONS;
    this.#reach = reachOf(config);
    this.#onRefusedRealm = onRefusedRealm;
    const { own: urls, hosts } = this.#reach;
    const elsewhere = new AddressGuard(network.resolver, urls, [...hosts, ...config.redirects.hosts]);
    const options = { ca: secrets.ca, connectMs: config.deadlines.connect, connections, ...network, elsewhere };
    this.#client = new Client(this.url, options);
    this.#streams = new Streams(this.#client, this.url, options);
    // A pull gives up sooner by itself. A push waits for a slow token service (rule 11).
    const tokenMs = Math.max(config.deadlines.manifest, config.deadlines.push);
    const ask = (realm: URL, login: Login | undefined) => fetchToken(this.#client, realm, login, tokenMs);
    const authorizer = (user: OwnUser | undefined) => new Authorizer(this.url, user, ask, this.#reach);
    const held = holdUsers(config, secrets, network.sources ?? new CredentialSources(), network.resolver);
    this.#held = Object.values(held);
    this.#authorizer = config.credentials === 'forward' ? undefined : authorizer(held.own?.user);
    const { user } = (config.probe.credentials === undefined ? held.own : held.probe) ?? {};
    this.#probeAuthorizer = authorizer(user);
    this.#fallbackAuthorizer = this.#authorizer ?? authorizer(undefined);
    this.#accounts = Object.fromEntries(Object.entries(held).map(([role, { user }]) => [role, authorizer(user)]));
  }

  /** Resolves when the first try to get its own credentials is over. */
  async tried(): Promise<void> {
    await Promise.all(this.#held.map(({ user }) => user.tried));
  }

  /** The same, but no later than requests wait for it. */
  async ready(): Promise<void> {
    await Promise.all(this.#held.map(({ user }) => user.ready));
  }

  /** @throws UpstreamError; or the signal's reason */
  async send(call: UpstreamCall): Promise<UpstreamAnswer> {
    return this.#withOwnCredentials(this.#client, call);
  }

  /**
   * Sends a request whose answer has a long body, which is streamed. The signal has no effect after the head.
   * @throws UpstreamError; or the signal's reason
   */
  async stream(call: UpstreamCall): Promise<UpstreamStream> {
    return this.#withOwnCredentials(this.#streams, call);
  }

  /**
   * Sends a write with the connection's own credentials. Redirects are not followed.
   * @throws UpstreamError; or the signal's reason
   */
  async write({ method, at, headers, body, scopes, signal }: UpstreamWrite): Promise<Answer> {
    const url = typeof at === 'string' ? new URL(this.#base + at, this.url) : at;
    if (url.origin !== this.url.origin)
      throw new UpstreamError('redirect-host', `the Location of an upload is on another host, ${url.host}`);
    const send = async () => {
      const authorization = await this.authorizationForWrite(scopes, undefined, signal);
      const shown = authorization === undefined ? headers : { ...headers, authorization };
      const answer = await this.#client.send({ method, path: url.pathname + url.search, headers: shown, body, signal });
      if (answer.status === 401) this.onWriteUnauthorized(answer.headers.joined('www-authenticate'), scopes);
      this.#authorizer?.noteRefusal(answer.status, authorization);
      return answer;
    };
    const answer = await send();
    if (answer.status !== 401 || body instanceof Readable) return answer;
    await dropBody(answer.body);
    return send();
  }

  /**
   * Sends a request with the probe's credentials. Redirects are handled as for clients.
   * @param refused the upstream refuses these credentials: the request has those of pulls, or none
   */
  async sendProbe(call: UpstreamCall, refused = false): Promise<UpstreamAnswer> {
    return this.#sendAuthorized(this.#client, refused ? this.#fallbackAuthorizer : this.#probeAuthorizer, {
      ...call,
      redirects: this.#config.redirects.mode,
    });
  }

  /** Sends a request to Harbor's own API, which takes Basic credentials and no token. */
  async sendApi(call: UpstreamCall, as: 'probe' | 'own' = 'probe'): Promise<UpstreamAnswer> {
    const authorizer = as === 'probe' ? this.#probeAuthorizer : this.#authorizer;
    const basic = authorizer && (await unlessAborted(call.signal, authorizer.basic()));
    return this.#sendFollowing(this.#client, call, basic);
  }

  /**
   * The Authorization for a request whose body can be sent only once, so that the first one must be right.
   * @param clientAuthorization used where the upstream's credentials are `forward`
   */
  async authorizationForWrite(
    scopes: readonly string[],
    clientAuthorization: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const authorizer = this.#authorizer;
    if (!authorizer) return clientAuthorization;
    await unlessAborted(signal, authorizer.ensureLogin());
    if (!authorizer.knowsChallenge) {
      if (monotonicNow() < this.#noChallengeUntil) return undefined;
      const answer = await this.#checkVersion(signal);
      await dropBody(answer.body);
      if (answer.status !== 401) {
        this.#noChallengeUntil = monotonicNow() + NO_CHALLENGE_MS;
        return undefined;
      }
      authorizer.learnChallenge(answer.headers.joined('www-authenticate'), undefined, scopes);
    }
    return unlessAborted(signal, authorizer.authorization(scopes));
  }

  /** Notes that such a request was answered with 401, so that the next one gets a new token. */
  onWriteUnauthorized(wwwAuthenticate: string | undefined, scopes: readonly string[]): void {
    this.#noChallengeUntil = 0;
    this.#noteRealm(wwwAuthenticate);
    this.#authorizer?.discardToken(scopes);
    this.#authorizer?.learnChallenge(wwwAuthenticate, undefined, scopes);
  }

  /** Checks the connection's own credentials (see `checkCredentials`); undefined when there are none. */
  get credentialCheck(): ((signal: AbortSignal) => Promise<void>) | undefined {
    const own = this.#authorizer;
    if (!own || own.anonymous) return undefined;
    return (signal) => this.#checkAccount(own, signal);
  }

  /** The same for any account of the edge's own. */
  checkAccount(role: CredentialRole, signal: AbortSignal): Promise<void> {
    const account = this.#accounts[role];
    return account ? this.#checkAccount(account, signal) : Promise.resolve();
  }

  /** What is known of the renewal of such an account. */
  accountRenewal(role: CredentialRole): RenewalView | undefined {
    return this.#accounts[role]?.user?.renewal;
  }

  /** When such an account ends. */
  async accountExpiry(role: CredentialRole, signal: AbortSignal): Promise<Expiry> {
    const account = this.#accounts[role];
    const user = account?.user;
    // What is renewed by itself has no end that the operator could move.
    if (!account || !user || user.renewal) return undefined;
    const login = user.login();
    const told = secretExpiry(login.password);
    if (told !== undefined || this.kind !== 'harbor') return told;
    return robotExpiry(this.#harborGet(signal), login, (await account.basic()) ?? '');
  }

  /**
   * Checks that Harbor knows the connection's own user. If not, its API answers lists with 200 and what is public.
   * @throws UpstreamError `credentials` if it refuses the user; another reason if it cannot tell
   */
  async checkKnownToHarbor(signal: AbortSignal): Promise<void> {
    const own = this.#authorizer;
    const basic = own && (await unlessAborted(signal, own.basic()));
    if (!own || basic === undefined) return;
    if (await isKnownToApi(this.#harborGet(signal), basic)) return;
    // The API does not take the secrets of OIDC users, which the token service takes.
    await this.#checkAccount(own, signal);
  }

  async #checkAccount(account: Authorizer, signal: AbortSignal): Promise<void> {
    try {
      await checkCredentials(account, (authorization) => this.#checkVersion(signal, authorization), signal);
    } catch (error) {
      if (this.kind !== 'harbor' || asUpstreamError(error).reason !== 'credentials') throw error;
      if (await databaseAnswers(this.#harborGet(signal))) throw error;
      throw new UpstreamError('authority-dead', 'its database does not answer, so that it refuses every user');
    }
  }

  #harborGet(signal: AbortSignal): HarborGet {
    const headers = { accept: 'application/json' };
    return (path, authorization) => {
      const call = { method: 'GET', path, headers, scopes: [], signal, redirects: 'pass' } as const;
      return this.#sendFollowing(this.#client, call, authorization);
    };
  }

  #checkVersion(signal: AbortSignal, authorization?: string): Promise<UpstreamAnswer> {
    const call = { method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'pass' } as const;
    return this.#sendFollowing(this.#client, call, authorization);
  }

  /** Asks about the upstream's own users. */
  get userTokens(): UserTokens {
    const { manifest } = this.#config.deadlines;
    this.#userTokens ??= new UserTokens({
      upstream: this.url,
      reach: this.#reach,
      send: (path, headers, together) =>
        withOwnDeadline(manifest, this.url.host, together, (signal) =>
          this.#client.send({ method: 'GET', path: this.#base + path, headers, signal }),
        ),
      sendElsewhere: (url, headers, together) =>
        withOwnDeadline(manifest, `the token service at ${url.host}`, together, (signal) =>
          this.#client.sendElsewhere(url, { method: 'GET', headers, signal }),
        ),
    });
    return this.#userTokens;
  }

  /** Sends a request to any URL without Breakwater's credentials, such as a token service that a challenge named. */
  sendElsewhere(url: URL, call: CallElsewhere): Promise<Answer> {
    return this.#client.sendElsewhere(url, call);
  }

  /** Whether a request with credentials may go to the token service at this URL. */
  mayGetCredentials(realm: URL): boolean {
    return mayGetCredentials(realm, this.#reach);
  }

  #noteRealm(wwwAuthenticate: string | undefined): void {
    const realm = URL.parse(usableChallenge(wwwAuthenticate)?.parameters.realm ?? '');
    if (realm && /^https?:$/.test(realm.protocol) && !this.mayGetCredentials(realm)) this.#onRefusedRealm?.(realm.host);
  }

  async close(): Promise<void> {
    for (const user of this.#held) user.release();
    this.#streams.destroy();
    await this.#client.destroy();
  }

  #withOwnCredentials<A extends Answer | StreamAnswer>(
    asker: RequestSender<A>,
    call: UpstreamCall,
  ): Promise<A & Provenance> {
    const authorizer = this.#authorizer;
    if (!authorizer) return this.#sendFollowing(asker, call, call.clientAuthorization);
    return this.#sendAuthorized(asker, authorizer, call);
  }

  async #sendAuthorized<A extends Answer | StreamAnswer>(
    asker: RequestSender<A>,
    authorizer: Authorizer,
    call: UpstreamCall,
  ): Promise<A & Provenance> {
    // An anonymous token without scopes grants nothing, Harbor refuses it, and a failing token service must not fail a version check.
    if (authorizer.anonymous && call.scopes.length === 0) return this.#sendFollowing(asker, call, undefined);
    const first = await unlessAborted(call.signal, authorizer.authorization(call.scopes));
    const answer = await this.#sendFollowing(asker, call, first);
    if (!answer.redirected) authorizer.noteRefusal(answer.status, first);
    if (answer.status !== 401 || answer.redirected) return answer;
    if (!authorizer.learnChallenge(answer.headers.joined('www-authenticate'), first, call.scopes)) return answer;
    await dropBody(answer.body);
    const second = await unlessAborted(call.signal, authorizer.authorization(call.scopes));
    const retried = await this.#sendFollowing(asker, call, second);
    if (!retried.redirected) authorizer.noteRefusal(retried.status, second);
    return retried;
  }

  async #sendFollowing<A extends Answer | StreamAnswer>(
    asker: RequestSender<A>,
    call: UpstreamCall,
    authorization: string | undefined,
  ): Promise<A & Provenance> {
    const headers = authorization === undefined ? call.headers : { ...call.headers, authorization };
    let url = new URL(this.#base + call.path, this.url);
    let answer = await asker.send({ ...call, path: url.pathname + url.search, headers });
    if (answer.status === 401) this.#noteRealm(answer.headers.joined('www-authenticate'));
    let hops = 0;
    while (call.redirects === 'follow' && REDIRECTS.has(answer.status)) {
      hops += 1;
      await dropBody(answer.body);
      if (hops > MAX_REDIRECTS) throw new UpstreamError('redirect-loop', `more than ${MAX_REDIRECTS} redirects`);
      url = redirectTarget(answer.headers.get('location'), url, this.url, this.#config.redirects.hosts);
      // Storage refuses an Authorization, and must not see the registry's.
      answer = await asker.sendElsewhere(url, call);
    }
    return { ...answer, redirected: hops > 0, url };
  }
}
