import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type MadeCertificate, makeCertificate } from '../../src/lab/certificate.ts';
import type { Owner } from '../helpers/temporary-folder.ts';

/** That of the ACME server. */
export const tls = await makeCertificate({ authority: true });

/** What an ACME server says that is not as it should be. */
export interface Odd {
  identifier?: string;
  token?: string;
  type?: string;
  challenge?: 'invalid';
  certificate?: string;
  /** Requests whose nonce is refused. */
  badNonces?: number;
  /** Answers in which a challenge and the order are still being worked on. */
  processing?: number;
  /** The account was there already. */
  account?: 'known';
  finalize?: string;
  authorizations?: number;
}

/** An ACME server that issues whatever it is told to, and keeps what it was asked. */
export async function startServer(t: Owner, issued: MadeCertificate, odd: Odd = {}) {
  const asked: string[] = [];
  let origin = '';
  const answers: Record<string, (accepted: boolean) => { status?: number; body: unknown }> = {
    '/dir': () => ({
      body: { newNonce: `${origin}/nonce`, newAccount: `${origin}/account`, newOrder: `${origin}/order` },
    }),
    '/nonce': () => ({ body: '' }),
    '/account': () => ({ status: odd.account ? 200 : 201, body: { status: 'valid' } }),
    // Where the order is read again.
    '/order/1': () => ({ body: orderOf(busy() ? 'processing' : 'valid') }),
    '/order': () => ({ status: 201, body: orderOf('pending') }),
    '/authorization': () => ({
      body: {
        status: 'pending',
        identifier: { type: 'dns', value: odd.identifier ?? 'cr.test' },
        challenges: [{ type: odd.type ?? 'http-01', url: `${origin}/challenge`, token: odd.token ?? 'the-token' }],
      },
    }),
    '/challenge': () => ({
      body: {
        type: 'http-01',
        url: `${origin}/challenge`,
        status: odd.challenge ?? (busy() ? 'pending' : 'valid'),
        token: 'the-token',
        error: { detail: 'no such host' },
      },
    }),
    '/finalize': () => ({ body: odd.finalize ?? orderOf(odd.processing === undefined ? 'valid' : 'processing') }),
    '/certificate': () => ({ body: odd.certificate ?? issued.cert }),
  };
  let refusals = odd.badNonces ?? 0;
  let left = odd.processing ?? 0;
  const busy = () => left-- > 0;
  const orderOf = (status: string) => ({
    ...{ status, identifiers: [], authorizations: Array(odd.authorizations ?? 1).fill(`${origin}/authorization`) },
    ...{ finalize: `${origin}/finalize`, certificate: `${origin}/certificate` },
  });
  const server = https.createServer({ cert: tls.cert, key: tls.key }, async (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const text = Buffer.concat(await request.toArray()).toString();
    const badNonce = { status: 400, body: { type: 'urn:ietf:params:acme:error:badNonce', detail: 'nonce?' } };
    const { status = 200, body } = (text !== '' && refusals-- > 0 ? badNonce : answers[path]?.(isSigned(text))) ?? {
      status: 404,
      body: {},
    };
    response.writeHead(status, {
      'replay-nonce': 'nonce',
      ...(path === '/order' ? { location: `${origin}/order/1` } : { location: `${origin}${path}` }),
      'retry-after': '0.001',
      'content-type': 'application/json',
    });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { directory: `${origin}/dir`, asked, server };
}

let account: ReturnType<typeof createPublicKey> | undefined;

/** Whether a request is a JWS of the account that was shown first (RFC 7515). */
function isSigned(text: string): boolean {
  if (text === '') return false;
  const { protected: head, payload, signature } = JSON.parse(text);
  const { jwk, alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
  if (jwk) account = createPublicKey({ key: jwk, format: 'jwk' });
  const bytes = Buffer.from(signature, 'base64url');
  return (
    alg === 'ES256' &&
    account !== undefined &&
    verify('sha256', Buffer.from(`${head}.${payload}`), { key: account, dsaEncoding: 'ieee-p1363' }, bytes)
  );
}
