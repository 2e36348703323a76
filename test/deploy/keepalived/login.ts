import type { ClientUser } from '../../helpers/container-client.ts';
import { EVERY_MANIFEST } from '../../helpers/http1-client.ts';
import { HttpsClient } from '../../helpers/https-client.ts';
import { sha256, type Target } from './traffic.ts';

export interface Answered {
  status: number;
  body: Buffer;
  digest: string;
  /** The header. */
  warning: string | undefined;
}

/** Asks for a manifest as clients do: first without credentials, then as the challenge wants it. */
export async function askAs(
  target: Target,
  user: ClientUser | undefined,
  repository: string,
  tag: string,
): Promise<Answered> {
  const client = new HttpsClient(target.url, target.authority, { keepAlive: false });
  const path = `/v2/${repository}/manifests/${tag}`;
  const get = async (authorization?: string) => {
    const headers = { accept: EVERY_MANIFEST, ...(authorization ? { authorization } : {}) };
    return client.ask(path, { headers });
  };
  const basic = user && `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
  let reply = await get();
  const challenge = String(reply.headers['www-authenticate'] ?? '');
  if (reply.status === 401 && /^basic/i.test(challenge)) reply = await get(basic);
  else if (reply.status === 401) {
    const part = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
    const realm = new URL(part('realm'));
    realm.searchParams.set('service', part('service'));
    realm.searchParams.set('scope', `repository:${repository}:pull`);
    const asked = new HttpsClient(realm.origin, target.authority, { keepAlive: false });
    const told = await asked.ask(realm.pathname + realm.search, { headers: basic ? { authorization: basic } : {} });
    if (told.status !== 200) reply = told;
    else {
      const { token, access_token }: { token?: string; access_token?: string } = JSON.parse(told.body.toString());
      reply = await get(`Bearer ${token ?? access_token}`);
    }
  }
  const { status, body, headers } = reply;
  return { status, body, digest: sha256(body), warning: headers.warning?.toString() };
}
