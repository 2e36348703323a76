import { z } from 'zod';
import { duration, file, list, realmHost } from './text.ts';

const realmHosts = list(realmHost).describe('The same as `realmHosts` of the upstream, which this list is added to.');

export const staticCredentials = z.strictObject({
  username: z.string().min(1).describe('User name, for example `robot$ci` or `_json_key`.'),
  passwordFile: file.describe(
    'File with the password; for `_json_key` the whole JSON key file. A line break at the end is ignored.',
  ),
  realmHosts,
});

const tokenFileCredentials = z.strictObject({
  tokenFile: file.describe(
    'File with a token that some other program renews, in one line. A new token is taken within seconds, and the upstream keeps its health and its connections.',
  ),
  username: z
    .string()
    .min(1)
    .default('oauth2accesstoken')
    .describe(
      'User name that goes with the token. The default is that of Google; many registries take any name. `<token>`: the token is a refresh token (OAuth2), as Azure gives them.',
    ),
  realmHosts,
});

const helperCredentials = z.strictObject({
  helper: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'NAME of a program docker-credential-NAME')
    .describe(
      'NAME of a credential helper of Docker, for example `ecr-login`: `docker-credential-NAME get` is run, from `PATH`. It gets `PATH` and `HOME`, and no other variable.',
    ),
  server: z
    .string()
    .regex(/^[\x21-\x7e]{1,512}$/, 'the server URL or host that the helper knows')
    .optional()
    .describe('What the helper is asked for. Default: host and port of the first of `urls`.'),
  renewEvery: duration('10m', 1000).describe(
    'How often the helper is run. If its secret is a JWT that ends sooner, the helper is run before that; if the upstream refuses the secret, soon after.',
  ),
  realmHosts,
});

const metadataCredentials = z.strictObject({
  metadata: z
    .literal('gcp')
    .describe(
      'The access token of this machine or pod: `gcp` asks the metadata server of Google Cloud (also for workload identity). Only for registries of Google.',
    ),
  realmHosts,
});

/** Credentials of the edge's own. */
export const ownCredentials = [
  staticCredentials,
  tokenFileCredentials,
  helperCredentials,
  metadataCredentials,
] as const;
