import { Agent } from 'node:https';
import type { AcmePair } from './acme-folder.ts';
import { askDirectory, authorities } from './directory.ts';

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

/** Milliseconds for one request to the ACME server, and for everything. */
const REQUEST_MS = 30_000;
const ORDER_MS = 15 * 60_000;
const MAX_ANSWER = 1_048_576;
/** Other edges take no longer one. */
const MAX_CHAIN = 65_536;
/** RFC 8555 section 8.3: base64url. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;

/** Orders one certificate, with a new key. Resolves or rejects within 15 minutes. @throws Error in words for the operator */
export async function orderCertificate(options: OrderOptions): Promise<AcmePair> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the order took longer than 15 minutes')), ORDER_MS).unref();
  try {
    return await Promise.race([order(options), over]);
  } catch (error) {
    // The library fails so on an answer that does not come, and hides why.
    if (error instanceof TypeError) throw new Error('the ACME server stopped answering', { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function order(options: OrderOptions): Promise<AcmePair> {
  const wrong = await askDirectory(options.directory, options.ca);
  if (wrong !== undefined) throw new Error(`${options.directory} does not answer as an ACME server: ${wrong}`);
  const client = await connect(options);
  const { names, email } = options;
  const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
  await client.api.createAccount({ termsOfServiceAgreed: true, ...contact });
  await options.onOrder();
  const placed = await client.api.createOrder({ identifiers: names.map((value) => ({ type: 'dns', value })) });
  const presented: PresentedChallenge[] = [];
  try {
    const pending = (await client.api.getAuthorizations(placed)).filter(({ status }) => status !== 'valid');
    const challenges = pending.map(({ identifier, challenges }) => {
      if (!names.includes(identifier.value) && !names.includes(`*.${identifier.value}`))
        throw new Error('the ACME server asks for a name that was not ordered');
      const found = challenges.find(({ type }) => type === options.challenge);
      if (!found) throw new Error(`the ACME server offers no ${options.challenge} for ${identifier.value}`);
      if (!TOKEN.test(found.token)) throw new Error('the ACME server sent a malformed token');
      return { found, name: identifier.value };
    });
    for (const { found, name } of challenges) {
      const answer = await client.api.getChallengeKeyAuthorization(found);
      const one = { token: found.token, answer, record: `_acme-challenge.${name}` };
      presented.push(one);
      await options.present(one);
    }
    if (challenges.length > 0) await options.settled();
    for (const { found } of challenges) {
      await client.api.completeChallenge(found);
      await client.api.waitForValidStatus(found);
    }
    const [key, csr] = await client.crypto.createCsr(
      { altNames: [...names] },
      await client.crypto.createPrivateEcdsaKey(),
    );
    const finalized = await client.api.finalizeOrder(placed, csr);
    const cert = await client.api.getCertificate(finalized);
    if (cert.length > MAX_CHAIN) throw new Error(`the certificate and its chain are longer than ${MAX_CHAIN} bytes`);
    return { cert, key: key.toString() };
  } finally {
    for (const one of presented) await options.remove(one);
  }
}

/** Loads the library only where a certificate is ordered: it brings an HTTP client of its own. */
async function connect({ directory, ca, accountKey }: OrderOptions) {
  const { default: acme } = await import('acme-client');
  const { axios, crypto, Client } = acme;
  Object.assign(axios.defaults, {
    ...{ timeout: REQUEST_MS, maxContentLength: MAX_ANSWER, maxRedirects: 0 },
    ...(ca === undefined ? {} : { httpsAgent: new Agent({ ca: authorities(ca) }) }),
  });
  // The schedule repeats what fails, with a bound of its own. The types of the library do not know these settings.
  const { acmeSettings } = axios.defaults as unknown as { acmeSettings: { retryMaxAttempts: number } };
  acmeSettings.retryMaxAttempts = 0;
  const key = await accountKey(async () => (await crypto.createPrivateEcdsaKey()).toString());
  const api = new Client({ directoryUrl: directory, accountKey: key, backoffAttempts: 20, backoffMin: 1_000 });
  return { api, crypto };
}
