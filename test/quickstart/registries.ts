import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts';
import { startArtifactRegistry } from '../helpers/artifact-registry.ts';
import { command } from '../helpers/command.ts';
import { writeImage } from '../helpers/image.ts';
import { startRegistry } from '../helpers/registry.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import { ADDRESSES } from './debian-machine.ts';

const ROBOT = { username: 'robot$breakwater', password: 'r0bot-secret' };
const PUSHER = { username: 'alice', password: 'correct horse' };
const KEY = JSON.stringify({ type: 'service_account', private_key: 'k3y-secret' }, undefined, 2);
const TAGS = ['1', '2'];

/** The registries of the page, with the files that the page wants in the home directory. */
export interface QuickstartRegistries {
  harbor: LabRegistry;
  /** Digests of `library/app`, by tag. */
  digests: Record<string, string>;
}

/**
 * @param home directory of the person
 * @param publicCa file for the CA of Google's registry, which every machine knows
 */
export async function startRegistries(
  owner: Owner,
  { home, publicCa }: { home: string; publicCa: string },
): Promise<QuickstartRegistries> {
  const [lan, google] = await Promise.all(
    (['harbor.lan', 'europe-docker.pkg.dev'] as const).map((name) =>
      makeCertificate({ names: [name], authority: true }),
    ),
  );
  if (!lan || !google) throw new Error('no certificates');
  const harbor = await startLabRegistry({
    ...{ host: ADDRESSES['harbor.lan'], port: 443, tls: lan, harbor: true },
    auth: { scheme: 'bearer', users: [ROBOT, PUSHER], anonymous: ['library/'] },
  });
  owner.teardown(() => harbor.close());
  await startCloud(owner, google);
  writeFileSync(join(home, 'harbor-ca.crt'), lan.ca);
  writeFileSync(join(home, 'robot.secret'), `${ROBOT.password}\n`);
  writeFileSync(join(home, 'key.json'), `${KEY}\n`);
  writeFileSync(publicCa, google.ca);
  const pushed = await Promise.all(TAGS.map(async (tag) => [tag, await push(owner, tag)] as const));
  return { harbor, digests: Object.fromEntries(pushed) };
}

async function push(owner: Owner, tag: string): Promise<string> {
  const image = await writeImage(temporaryFolder(owner));
  await command(tool('skopeo'), [
    ...['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'],
    ...[`--dest-creds=${PUSHER.username}:${PUSHER.password}`],
    ...[`oci:${image.folder}:latest`, `docker://harbor.lan/library/app:${tag}`],
  ]);
  return image.digest;
}

/** A real registry behind what Artifact Registry does, behind TLS under its own name. */
async function startCloud(owner: Owner, tls: { cert: string; key: string }): Promise<void> {
  const cloud = await startArtifactRegistry(owner, {
    edge: { password: KEY, may: { 'my-project/images/': ['pull', 'push'] } },
  });
  cloud.front.before((await startRegistry(owner)).address);
  const name = 'europe-docker.pkg.dev';
  const inside = cloud.front.address;
  const server = createTlsServer(tls, (asked, response) => {
    const { method, url, headers } = asked;
    const sent = { ...headers, 'x-forwarded-proto': 'https' };
    const call = request(`http://${inside}${url}`, { ...(method ? { method } : {}), headers: sent }, (answer) => {
      const challenge = answer.headers['www-authenticate'];
      const shown = challenge?.replaceAll(`http://${inside}`, `https://${name}`).replaceAll(inside, name);
      response.writeHead(answer.statusCode ?? 502, {
        ...answer.headers,
        ...(shown ? { 'www-authenticate': shown } : {}),
      });
      answer.pipe(response);
    });
    call.on('error', () => response.destroy());
    asked.pipe(call);
  });
  server.listen(443, ADDRESSES[name]);
  await once(server, 'listening');
  owner.teardown(() => server.close());
}
