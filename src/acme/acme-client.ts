import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { calculateJwkThumbprint, exportJWK, FlattenedSign, type JWK } from 'jose';
import { authorities } from './directory.ts';

/** An authorization of a name (RFC 8555 section 7.1.4). */
export interface Authorization {
  status: string;
  identifier: { value: string };
  challenges: Challenge[];
}

export interface Challenge {
  type: string;
  url: string;
  token: string;
}

export interface AcmeOrder {
  url: string;
  status: string;
  authorizations: string[];
  finalize: string;
  certificate?: string;
}

interface Directory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Milliseconds for one request to the ACME server. */
const REQUEST_MS = 30_000;
const MAX_ANSWER = 1_048_576;
const MAX_DETAIL = 500;
/** Milliseconds between two looks at what the ACME server is doing, where its answer does not say. */
const POLL_MS = { least: 1_000, most: 30_000 };
/** A nonce may have been used up or expired (RFC 8555 section 6.5); the refusal brings a new one. */
const NONCE_TRIES = 5;
const CURVES: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/**
 * Speaks to an ACME server (RFC 8555) for one account. Nothing is repeated but a request whose nonce was refused: the schedule of orders
 * decides about the rest. Redirects are not followed.
 */
export class AcmeClient {
  readonly #directoryUrl: string;
  readonly #agent: Agent;
  readonly #key: KeyObject;
  readonly #signal: AbortSignal;
  #directory: Directory | undefined;
  #nonce: string | undefined;
  #account: string | undefined;

  /**
   * @param accountKey PEM, ECDSA or RSA @param ca further CAs for the ACME server, PEM
   * @param signal ends whatever waits
   */
  constructor(directoryUrl: string, accountKey: string, ca: string | undefined, signal: AbortSignal) {
    this.#directoryUrl = directoryUrl;
    this.#key = createPrivateKey(accountKey);
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ...(ca === undefined ? {} : { ca: authorities(ca) }) });
    this.#signal = signal;
  }

  /** Ends its connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Makes the account, or finds the one of this key. The terms of service count as agreed to. */
  async openAccount(contact: readonly string[]): Promise<void> {
    const { newAccount } = await this.#find();
    const wish = { termsOfServiceAgreed: true, ...(contact.length > 0 ? { contact } : {}) };
    const { status, headers } = await this.#post(newAccount, wish);
    this.#account = addressOf(headers.location);
    // 200: it was there already, perhaps with another contact.
    if (status === 200 && contact.length > 0) await this.#post(this.#account, { contact });
  }

  async placeOrder(names: readonly string[]): Promise<AcmeOrder> {
    const { newOrder } = await this.#find();
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    const { text, headers } = await this.#post(newOrder, { identifiers });
    return { ...read<AcmeOrder>(text), url: addressOf(headers.location) };
  }

  async authorizations(order: AcmeOrder): Promise<Authorization[]> {
    const found: Authorization[] = [];
    for (const url of order.authorizations) found.push(read((await this.#post(url)).text));
    return found;
  }

  /** What proves that the account's owner answers (RFC 8555 section 8.1): for a file, or for a TXT record (section 8.4). */
  async answerTo({ token, type }: Challenge): Promise<string> {
    const answer = `${token}.${await calculateJwkThumbprint(await this.#publicKey())}`;
    return type === 'dns-01' ? createHash('sha256').update(answer).digest('base64url') : answer;
  }

  /** Lets the server look at an answer. Resolves when it has found it. @throws Error with what the server says against it */
  async complete({ url }: Challenge): Promise<void> {
    await this.#post(url, {});
    await this.#poll(url);
  }

  /** @param request DER @returns the certificate and its chain, PEM */
  async finish(order: AcmeOrder, request: Buffer): Promise<string> {
    const { text } = await this.#post(order.finalize, { csr: request.toString('base64url') });
    const made = read<AcmeOrder>(text);
    const { certificate } = made.status === 'valid' ? made : await this.#poll<AcmeOrder>(order.url);
    return (await this.#post(addressOf(certificate))).text;
  }

  /** Waits until an order or a challenge is valid. */
  async #poll<T extends { status: string; error?: unknown }>(url: string): Promise<T> {
    for (let pause = POLL_MS.least; ; pause = Math.min(pause * 2, POLL_MS.most)) {
      const { text, headers } = await this.#post(url);
      const state = read<T>(text);
      if (state.status === 'valid') return state;
      if (!['pending', 'processing', 'ready'].includes(state.status))
        throw new Error(refusal(state.error, state.status));
      const asked = Number(headers['retry-after']) * 1000;
      const bounded = asked > 0 ? Math.min(Math.max(asked, POLL_MS.least), POLL_MS.most) : pause;
      await wait(bounded, undefined, { signal: this.#signal });
    }
  }

  async #find(): Promise<Directory> {
    this.#directory ??= read<Directory>((await this.#ask('GET', this.#directoryUrl)).text);
    return this.#directory;
  }

  /** Sends a signed request; without content it reads (RFC 8555 section 6.3). */
  async #post(url: string, content?: object): Promise<Answer> {
    const payload = Buffer.from(content === undefined ? '' : JSON.stringify(content));
    const signer = this.#account === undefined ? { jwk: await this.#publicKey() } : { kid: this.#account };
    for (let tries = 1; ; tries++) {
      const nonce = await this.#takeNonce();
      const signed = await new FlattenedSign(payload)
        .setProtectedHeader({ alg: algorithmOf(this.#key), nonce, url, ...signer })
        .sign(this.#key);
      const answer = await this.#ask('POST', url, JSON.stringify(signed));
      if (answer.status < 300) return answer;
      const problem = problemOf(answer.text);
      if (problem?.type !== 'urn:ietf:params:acme:error:badNonce' || tries === NONCE_TRIES)
        throw new Error(refusal(problem, `status ${answer.status}`));
    }
  }

  async #takeNonce(): Promise<string> {
    if (this.#nonce === undefined) await this.#ask('HEAD', (await this.#find()).newNonce);
    const nonce = this.#nonce;
    this.#nonce = undefined;
    if (nonce === undefined) throw new Error('the ACME server sends no nonce');
    return nonce;
  }

  async #publicKey(): Promise<JWK> {
    return await exportJWK(createPublicKey(this.#key));
  }

  /** @throws Error if the server does not answer, or says too much */
  #ask(method: string, url: string, body?: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const fail = (cause: unknown) => reject(new Error('the ACME server stopped answering', { cause }));
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_MS)]);
    const headers = body === undefined ? {} : { 'content-type': 'application/jose+json' };
    const sent = request(addressOf(url), { method, headers, agent: this.#agent, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length <= MAX_ANSWER) return;
        reject(new Error(`the ACME server's answer is longer than ${MAX_ANSWER} bytes`));
        sent.destroy();
      });
      response.on('error', fail).on('end', () => {
        const nonce = response.headers['replay-nonce'];
        if (typeof nonce === 'string') this.#nonce = nonce;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on('error', fail).end(body);
    return promise;
  }
}

/** @throws Error for an address without TLS, or none */
function addressOf(url: string | undefined): string {
  if (url === undefined || !URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new Error('the ACME server sent no https address where one was expected');
  return url;
}

function read<T>(text: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {}
  throw new Error('the ACME server sent something that is not JSON');
}

function problemOf(text: string): { type?: unknown } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the server says against it, on one line (RFC 7807). */
function refusal(problem: unknown, otherwise: string): string {
  const { detail } = (problem ?? {}) as { detail?: unknown };
  if (typeof detail !== 'string' || detail === '') return `the ACME server refused: ${otherwise}`;
  return detail.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, MAX_DETAIL);
}

/** @throws Error for a key of a kind that ACME servers do not take */
function algorithmOf(key: KeyObject): string {
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'RS256' : CURVES[key.asymmetricKeyDetails?.namedCurve ?? 'none'];
  if (algorithm === undefined) throw new Error("the account's key is neither ECDSA nor RSA");
  return algorithm;
}
