import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { check as checkAll } from '../../../src/cli/check/check.ts';
import { checkTokenIssuer } from '../../../src/cli/check/token-issuer-check.ts';
import { parseConfig } from '../../../src/config/inspection.ts';
import type { Loaded } from '../../../src/config/load.ts';
import { type MadeCertificate, makeCertificate } from '../../../src/lab/certificate.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { startGitlabTokenService } from '../../helpers/gitlab-token-service.ts';
import { Registry } from '../../helpers/registry.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const LOGIN = { username: 'ann', passwordFile: 'x' };
const [web, registry, issuer, expired] = await Promise.all([
  makeCertificate(),
  makeCertificate(),
  makeCertificate(),
  makeCertificate({ days: -1 }),
]);

function check(t: Test, url: string, bundle: string, more: object = {}, ca?: string) {
  const { config } = parseConfig({
    hostname: 'cr.example.io',
    tls: { certFile: 'a', keyFile: 'b' },
    upstreams: { gitlab: { urls: [url], credentials: LOGIN, ...more } },
    routes: [{ prefix: '', pull: [{ upstream: 'gitlab' }] }],
  });
  const file = join(temporaryFolder(t), 'gitlab-registry.crt');
  writeFileSync(file, bundle);
  const loaded = { config, material: { upstreams: { gitlab: { ca, password: 'secret' } } } } as unknown as Loaded;
  return checkTokenIssuer(loaded, `gitlab=${file}`, { resolver: new Resolver(), now: Date.now() });
}

/** A server with a certificate that answers so. */
async function serve(t: Test, { cert, key }: MadeCertificate, listener: RequestListener): Promise<number> {
  const server = https.createServer({ cert, key }, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A registry, and GitLab beside it that signs with the key of `issuer`. @returns URL of the registry, and its realmHosts */
async function startGitlab(t: Test, token?: string) {
  const asked: (string | undefined)[] = [];
  const port = await serve(t, web, async ({ headers }, response) => {
    asked.push(headers.authorization);
    const signed = new SignJWT({ access: [] }).setProtectedHeader({ alg: 'ES256' });
    response.end(JSON.stringify({ token: token ?? (await signed.sign(createPrivateKey(issuer.key))) }));
  });
  const realm = `https://localhost:${port}/jwt/auth`;
  const own = await serve(t, registry, (_request, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="container_registry"` }).end();
  });
  return { url: `https://127.0.0.1:${own}`, realmHosts: ['localhost'], asked };
}

t.test('a real registry with the certificate of its token service', async (t) => {
  const service = await startGitlabTokenService(t, { ann: { password: 'secret', may: {} } });
  const auth = service.registryAuth as { token: { rootcertbundle: string } };
  const real = new Registry(t, { auth });
  await real.start();
  const bundle = readFileSync(auth.token.rootcertbundle, 'utf8');
  t.match(await check(t, real.url, bundle, { realmHosts: ['localhost'] }), [
    { level: 'ok', message: /^certificate of the token issuer: CN=gitlab-issuer, by itself/ },
    { level: 'ok', message: /are signed by the key of CN=gitlab-issuer$/ },
  ]);
});

t.test('which certificate is which', async (t) => {
  const { url, realmHosts, asked } = await startGitlab(t);
  const ca = web.ca + registry.ca;
  const found = await check(t, url, issuer.cert, { realmHosts }, ca);
  t.match(found, [
    { level: 'ok', message: /^web certificate, of the token service: CN=breakwater lab, by itself, valid until 20/ },
    { level: 'ok', message: /^certificate of the registry: / },
    { level: 'ok', message: /^certificate of the token issuer: / },
    { level: 'ok', message: /^tokens of localhost:\d+ are signed by the key of CN=breakwater lab$/ },
  ]);
  t.strictSame(asked.filter(Boolean), [`Basic ${Buffer.from('ann:secret').toString('base64')}`]);
  const both = await check(t, url, web.cert + issuer.cert, { realmHosts }, ca);
  t.equal(both.at(-1)?.level, 'ok', 'one of several');
  const old = await check(t, url, expired.cert + issuer.cert, { realmHosts }, ca);
  t.match(old[2], { level: 'error', message: /: it has expired$/, remedy: 'renew it in GitLab' });
});

t.test('the wrong file, and what it holds', async (t) => {
  const { url, realmHosts } = await startGitlab(t);
  const ca = web.ca + registry.ca;
  for (const [bundle, holds] of [
    [web, /^the file holds the web certificate\. Give rootcertbundle/],
    [registry, /^the file holds the certificate of the registry\. Give rootcertbundle/],
    [
      expired,
      /^Give rootcertbundle of the registry the certificate of the key that GitLab signs with \(registry\.key in gitlab\.yml; Omnibus: gitlab-registry\.key\), and restart the registry$/,
    ],
  ] as const)
    t.match((await check(t, url, bundle.cert, { realmHosts }, ca)).at(-1), {
      level: 'error',
      message:
        /^tokens of localhost:\d+ are signed by a key that is not in .*gitlab-registry\.crt, so the registry refuses all of them$/,
      remedy: holds,
    });
});

t.test('what cannot be checked', async (t) => {
  const ca = web.ca + registry.ca;
  const { url, realmHosts, asked } = await startGitlab(t, 'opaque');
  t.match((await check(t, url, issuer.cert, { realmHosts }, ca)).at(-1), {
    ...{ level: 'warning', remedy: 'ask without --rootcertbundle: this is not GitLab' },
    message: /^the token of localhost:\d+ is no signed JWT, so no certificate verifies it$/,
  });
  const before = asked.length;
  t.match(await check(t, url, issuer.cert, {}, ca), [
    {
      ...{ level: 'error', subject: 'upstreams.gitlab' },
      message: /^the token issuer cannot be checked: .*upstreams\.gitlab\.realmHosts does not name/,
      remedy:
        'the check needs a token: set upstreams.gitlab.probe.credentials to a user of GitLab, such as a deploy token',
    },
  ]);
  t.equal(asked.length, before, 'no password goes where the configuration does not say so');
  const open = await serve(t, registry, (_request, response) => response.end());
  t.match(await check(t, `https://127.0.0.1:${open}`, issuer.cert, {}, ca), [
    { level: 'error', message: /names no token service \(status 200\)/ },
  ]);
  t.match(await check(t, 'https://127.0.0.1:1', issuer.cert), [{ level: 'error', message: /cannot be checked/ }]);
  const wrong = { config: { upstreams: { gitlab: {} } } } as unknown as Loaded;
  for (const given of ['gitlab', 'other=file', '=file'])
    await t.rejects(checkTokenIssuer(wrong, given, { resolver: new Resolver(), now: 0 }), {
      ...{ name: 'UsageError', message: `--rootcertbundle ${given}: expected UPSTREAM=FILE, with one of gitlab` },
    });
  await t.rejects(checkAll('breakwater.yaml', { offline: true, rootcertbundle: ['gitlab=file'] }), {
    ...{ name: 'UsageError', message: '--rootcertbundle asks the registry for a token, so it cannot be --offline' },
  });
  await t.rejects(check(t, url, 'no certificate'), { name: 'UsageError', message: /no certificate in PEM form/ });
});
