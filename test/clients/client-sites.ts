import { parse } from 'smol-toml';
import type { ClientSite } from '../../src/clients/client-site.ts';
import type { Generated } from '../../src/clients/generate/generated.ts';
import { withPart } from '../../src/clients/part/shared-file.ts';

export const CA = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

/** A site with an authority of its own. */
export function siteOf(more: Partial<ClientSite> = {}): ClientSite {
  return { host: 'cr.example.io', ca: CA, mirrors: [], fallback: undefined, user: undefined, ...more };
}

/** A fallback that keeps all images below one path. */
export const FALLBACK = { host: 'asia.gcr.io', ca: undefined, places: [{ prefix: '', at: 'example-project/' }] };

/** Texts of files by their path, as a node without any of them gets them. */
export function textsOf({ files }: Generated): Record<string, string> {
  return Object.fromEntries(
    files.map(({ path, content }) => [path, typeof content === 'string' ? content : withPart(content, undefined)]),
  );
}

/** A TOML file as plain values. */
export function tomlOf(text: string | undefined): Record<string, unknown> {
  return JSON.parse(JSON.stringify(parse(text ?? '')));
}
