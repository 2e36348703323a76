import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { metadataToken } from '../../../src/upstream/credentials/metadata-server.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { unlisted } from '../../helpers/unlisted-port.ts';

const NEVER = new AbortController().signal;
const PATH = '/computeMetadata/v1/instance/service-accounts/default/token';

interface Answer {
  status?: number;
  flavor?: string | undefined;
  body?: string;
}

/** A metadata server as Google publishes it: it refuses requests without its header. */
async function start(t: Test, { status = 200, flavor = 'Google', body = '' }: Answer = {}) {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((req, res) => {
    seen.push({ url: req.url, headers: req.headers });
    const isAsked = req.headers['metadata-flavor'] === 'Google';
    res.writeHead(isAsked ? status : 403, { ...(flavor && { 'metadata-flavor': flavor }) }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { seen, token: () => metadataToken({ resolver: new Resolver(), host }, NEVER) };
}

t.test('the access token of the default service account, with its end', async (t) => {
  const body = JSON.stringify({ access_token: 'ya29.secret', expires_in: 3599, token_type: 'Bearer' });
  const { seen, token } = await start(t, { body });
  t.strictSame(await token(), { username: 'oauth2accesstoken', password: 'ya29.secret', endsInMs: 3_599_000 });
  t.match(seen, [{ url: PATH, headers: { 'metadata-flavor': 'Google' } }]);
});

t.test('every other answer is an error that says what was expected, without a secret', async (t) => {
  const good = JSON.stringify({ access_token: 'ya29.secret', expires_in: 1 });
  const rows: [what: string, Answer, RegExp][] = [
    [
      'no account',
      { status: 404 },
      /answers 404, expected 200.*no service account; attach one.*artifactregistry\.reader/,
    ],
    ['a refusal', { status: 403, body: 'ya29.secret' }, /answers 403, expected 200.*workload identity of this pod/],
    ['some other service', { flavor: '', body: good }, /is not the metadata server of Google Cloud/],
    ['no JSON', { body: '<html>ya29.secret' }, /sent no access token$/],
    ['no token', { body: '{}' }, /sent no access token/],
    ['a token that is none', { body: JSON.stringify({ access_token: 'ya29.secret\r\nx: y' }) }, /sent no access token/],
    ['a redirect', { status: 302 }, /answers 302/],
  ];
  for (const [what, answer, expected] of rows) {
    const { token } = await start(t, answer);
    const error = await token().then(
      () => new Error('it is good'),
      (one: Error) => one,
    );
    t.match(error.message, expected, what);
    t.notMatch(error.message, /ya29|it is good/, what);
  }
});

t.test('a metadata server that is not there', async (t) => {
  const host = await unlisted();
  await t.rejects(metadataToken({ resolver: new Resolver(), host }, NEVER), {
    message: /cannot be reached \(.*ECONNREFUSED.*\): it is there only on Google Cloud; elsewhere set a helper/,
  });
  await t.rejects(metadataToken({ resolver: new Resolver(), host: 'a/b' }, NEVER), {
    message: 'GCE_METADATA_HOST is no HOST or HOST:PORT',
  });
});
