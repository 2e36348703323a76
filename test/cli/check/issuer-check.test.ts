import t from 'tap';
import { checkIssuers } from '../../../src/cli/check/issuer-check.ts';
import type { Loaded } from '../../../src/config/load.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { SigningKey, serveKeys } from '../../helpers/json-web-keys.ts';

t.test('whether the keys of an issuer can be fetched', async (t) => {
  const server = await serveKeys(t, [(await SigningKey.make('a')).publicKey]);
  const check = (jwks: string, mode = 'delegate') => {
    const auth = { mode, issuers: [{ issuer: 'https://kubernetes.lan', jwks, audience: 'x' }] };
    return checkIssuers({ config: { auth }, material: {} } as unknown as Loaded, new Resolver());
  };
  t.match(await check(server.url), [{ level: 'ok', subject: 'auth.issuers[0]', message: /has 1 keys/ }]);
  t.match(await check('http://127.0.0.1:1/'), [{ level: 'error', message: /ECONNREFUSED/, remedy: /caFile/ }]);
  server.answer.body = '{"keys":[{"kty":"oct","k":"x"}]}';
  t.match(await check(server.url), [{ level: 'error', message: /no key that verifies/ }]);
  server.answer.status = 403;
  t.match(await check(server.url), [{ level: 'error', message: /answers 403/, remedy: /unauthenticated/ }]);
  t.same(await check(server.url, 'open'), []);
});
