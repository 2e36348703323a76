import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Owner } from './temporary-folder.ts';

// Registries of clouds as far as their logins go, as published in November 2026:
// - ECR: Amazon ECR, "Private registry authentication"; that ended tokens get 403: flipt-io/flipt issue 3043.
// - Artifact Registry: "Configure authentication to Artifact Registry for Docker", "Using an access token".
// - ACR: Azure Container Registry REST API, "Access Tokens - Get" (POST /oauth2/token), "Authenticate with an Azure container registry".

export type CloudKind = 'ecr' | 'artifact-registry' | 'acr';

export interface CloudRegistry {
  url: string;
  /** The password, access token or refresh token that is good now. */
  secret: string;
  /** Requests of the registry API with what they showed: no Authorization, or its scheme. */
  requests: { path: string; shown: string }[];
  /** Questions to the token service. */
  questions: { method: string; form: URLSearchParams; basic: string | undefined }[];
}

export async function startCloudRegistry(owner: Owner, kind: CloudKind): Promise<CloudRegistry> {
  let count = 0;
  const tokens = new Map<string, string>();
  const registry: CloudRegistry = { url: '', secret: 'first', requests: [], questions: [] };
  const grant = (): string => {
    count += 1;
    tokens.set(`token-${count}`, registry.secret);
    return `token-${count}`;
  };
  const server = createServer((req, res) => void answer(req, res));
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '', registry.url);
    const body = Buffer.concat(await req.toArray()).toString();
    if (!url.pathname.startsWith('/v2/') || url.pathname === '/v2/token') return answerToken(req, res, url, body);
    const { authorization = '' } = req.headers;
    registry.requests.push({ path: url.pathname, shown: authorization.split(' ')[0] ?? '' });
    const status = statusFor(authorization);
    if (status === 401) res.setHeader('www-authenticate', challengeOf());
    reply(res, status, status === 200 ? { tags: ['1'] } : { errors: [{ code: 'DENIED', message: 'denied' }] });
  };
  const challengeOf = () =>
    kind === 'ecr'
      ? `Basic realm="${registry.url}/",service="ecr.amazonaws.com"`
      : `Bearer realm="${registry.url}${kind === 'acr' ? '/oauth2/token' : '/v2/token'}",service="registry"`;
  const statusFor = (authorization: string): number => {
    if (kind === 'ecr') {
      if (authorization === '') return 401;
      return passwordIn(authorization, 'AWS') === registry.secret ? 200 : 403;
    }
    const token = authorization.replace(/^Bearer /, '');
    return tokens.get(token) === registry.secret ? 200 : 401;
  };
  const answerToken = (req: IncomingMessage, res: ServerResponse, url: URL, body: string) => {
    const { authorization } = req.headers;
    const form = req.method === 'POST' ? new URLSearchParams(body) : url.searchParams;
    registry.questions.push({ method: req.method ?? '', form, basic: authorization });
    if (kind === 'acr') {
      const isGood =
        req.method === 'POST' &&
        form.get('grant_type') === 'refresh_token' &&
        form.get('service') === 'registry' &&
        form.get('refresh_token') === registry.secret;
      return isGood ? reply(res, 200, { access_token: grant() }) : reply(res, 401, {});
    }
    const isGood = passwordIn(authorization ?? '', 'oauth2accesstoken') === registry.secret;
    return isGood ? reply(res, 200, { token: grant(), expires_in: 3600 }) : reply(res, 403, {});
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  registry.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return registry;
}

function reply(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The password of Basic credentials of that user. */
function passwordIn(authorization: string, user: string): string | undefined {
  const [name, password] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
    .toString()
    .split(':');
  return name === user ? password : undefined;
}
