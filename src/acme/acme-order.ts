import { generateKeyPairSync } from 'node:crypto';
import { AcmeClient, type Authorization, type Challenge } from './acme-client.ts';
import type { AcmePair } from './acme-folder.ts';
import { askDirectory } from './directory.ts';

export interface OrderOptions {
  directory: string;
  /** Further CAs for the ACME server, PEM. */
  ca: string | undefined;
  email: string | undefined;
  names: readonly string[];
  challenge: 'http-01' | 'dns-01';
  /** The account's key; `make` makes one. */
  accountKey: (make: () => Promise<string>) => Promise<string>;
  /** Called right before the order is sent. @throws Error: nothing is ordered */
  onOrder: () => Promise<void>;
  /** Makes an answer visible to the ACME server. @param record for dns-01: the name of the TXT record */
  present: (challenge: PresentedChallenge) => Promise<void>;
  /** Removes what `present` has made. Its errors are told by itself. */
  remove: (challenge: PresentedChallenge) => Promise<void>;
  /** Called when every answer is visible here. Resolves when it is so for the ACME server too. */
  settled: () => Promise<void>;
}

export interface PresentedChallenge {
  token: string;
  /** Content of the file, or value of the TXT record. */
  answer: string;
  record: string;
}

/** Milliseconds for everything. */
const ORDER_MS = 15 * 60_000;
/** Other edges take no longer one. */
const MAX_CHAIN = 65_536;
/** RFC 8555 section 8.3: base64url. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;

/** Orders one certificate, with a new key. Resolves or rejects within 15 minutes. @throws Error in words for the operator */
export async function orderCertificate(options: OrderOptions): Promise<AcmePair> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const stop = new AbortController();
  const timer = setTimeout(() => {
    reject(new Error('the order took longer than 15 minutes'));
    stop.abort();
  }, ORDER_MS).unref();
  try {
    return await Promise.race([order(options, stop.signal), over]);
  } finally {
    clearTimeout(timer);
  }
}

async function order(options: OrderOptions, signal: AbortSignal): Promise<AcmePair> {
  const { directory, ca, names, email } = options;
  const wrong = await askDirectory(directory, ca);
  if (wrong !== undefined) throw new Error(`${directory} does not answer as an ACME server: ${wrong}`);
  const client = new AcmeClient(directory, await options.accountKey(async () => newAccountKey()), ca, signal);
  const presented: PresentedChallenge[] = [];
  try {
    await client.openAccount(email === undefined ? [] : [`mailto:${email}`]);
    await options.onOrder();
    const placed = await client.placeOrder(names);
    if (placed.authorizations.length > names.length)
      throw new Error('the ACME server asks for more names than were ordered');
    const challenges = (await client.authorizations(placed))
      .filter(({ status }) => status !== 'valid')
      .map((authorization) => chosen(authorization, options));
    for (const { challenge, name } of challenges) {
      const answer = await client.answerTo(challenge);
      const one = { token: challenge.token, answer, record: `_acme-challenge.${name}` };
      presented.push(one);
      await options.present(one);
    }
    if (challenges.length > 0) await options.settled();
    for (const { challenge } of challenges) await client.complete(challenge);
    const { makeRequest } = await import('../certificates/certificate-maker.ts');
    const { request, key } = await makeRequest(names);
    const cert = await client.finish(placed, request);
    if (cert.length > MAX_CHAIN) throw new Error(`the certificate and its chain are longer than ${MAX_CHAIN} bytes`);
    return { cert, key };
  } finally {
    client.close();
    for (const one of presented) await options.remove(one);
  }
}

/** The challenge to answer. @throws Error for a name, a kind or a token that was not ordered */
function chosen({ identifier, challenges }: Authorization, { names, challenge: kind }: OrderOptions) {
  const name = identifier.value;
  if (!names.includes(name) && !names.includes(`*.${name}`))
    throw new Error('the ACME server asks for a name that was not ordered');
  const challenge: Challenge | undefined = challenges.find(({ type }) => type === kind);
  if (!challenge) throw new Error(`the ACME server offers no ${kind} for ${name}`);
  if (!TOKEN.test(challenge.token)) throw new Error('the ACME server sent a malformed token');
  return { challenge, name };
}

/** ECDSA P-256, PEM. */
function newAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
