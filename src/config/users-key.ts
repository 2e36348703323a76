import type { Config } from './schema.ts';

/** The key under `auth` that names the file of the edge's own users; undefined: it has none in this mode. */
export function usersKey({ auth: { mode } }: Config): 'htpasswdFile' | 'breakGlassFile' | undefined {
  if (mode === 'htpasswd') return 'htpasswdFile';
  return mode === 'delegate' ? 'breakGlassFile' : undefined;
}
