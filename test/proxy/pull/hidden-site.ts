import { basic } from '../../helpers/forward-site.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import {
  type Answer,
  BLOB,
  BY_DIGEST,
  MANIFEST,
  type PacedOptions,
  type PacedSite,
  serveRight,
  startPacedSite,
} from './paced-upstream.ts';

// A primary that gets the clients' own credentials hides an image from some of them by 404.

export const BY_TAG = '/v2/app/manifests/1';
export const TAGS = '/v2/app/tags/list';
export const REFERRERS = `/v2/app/referrers/${sha256(MANIFEST)}`;
export const PATHS = [BY_TAG, BY_DIGEST, BLOB, TAGS, REFERRERS];
export const RIGHTFUL = basic('ann', 'right');
export const STRANGERS: Record<string, string>[] = [{ authorization: basic('bob', 'right') }, {}];
export const WORDS = 'repository app is not known to bob';

export const json =
  (body: object): Answer =>
  (req, res) => {
    const bytes = Buffer.from(JSON.stringify(body));
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
    res.end(req.method === 'HEAD' ? undefined : bytes);
  };
export const serveAll: Answer = (req, res) => {
  if (req.url?.includes('/_catalog')) return json({ repositories: ['app'] })(req, res);
  if (req.url?.includes('/tags/')) return json({ name: 'app', tags: ['1'] })(req, res);
  if (req.url?.includes('/referrers/')) return json({ schemaVersion: 2, manifests: [] })(req, res);
  return serveRight(req, res);
};
export const hides: Answer = (req, res) => {
  if (req.headers.authorization === RIGHTFUL) return serveAll(req, res);
  const errors = [{ code: 'NOT_FOUND', message: WORDS, detail: { path: '/storage/app' } }];
  res.writeHead(404, { 'content-type': 'application/json' });
  return res.end(req.method === 'HEAD' ? undefined : JSON.stringify({ errors }));
};

export async function startHiding(owner: Owner, { harbor = {}, ...options }: PacedOptions = {}): Promise<PacedSite> {
  const site = await startPacedSite(owner, {
    harbor: { credentials: 'forward', ...harbor },
    config: { manifests: {} },
    ...options,
  });
  site.harbor.answer = hides;
  for (const fallback of [site.gcr, site.quay]) fallback.answer = serveAll;
  return site;
}
