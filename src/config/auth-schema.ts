import { z } from 'zod';
import { staticCredentials } from './credentials-schema.ts';
import { isLoopback } from './network.ts';
import { accessRule, choice, duration, file, list, network, realmHost, ruleHolder, section, userName } from './text.ts';

const issuer = z.strictObject({
  issuer: z.string().min(1).max(1024).describe('The issuer, exactly as `iss` in its tokens names it.'),
  jwks: z
    .url({ protocol: /^https?$/, error: 'an https URL' })
    .refine(
      isUsableKeyUrl,
      'an https URL without a user; http only on loopback, because keys from the network could be forged',
    )
    .meta({ title: 'URL' })
    .describe('URL of its keys (JSON Web Key Set), for example `https://kubernetes.lan:6443/openid/v1/jwks`.'),
  audience: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('What `aud` in its tokens must contain: one name, or a list of which one is enough.'),
  caFile: file
    .optional()
    .describe('PEM file with the certificate authority of the URL. Default: the authorities of the system.'),
});

/** Who can change the keys can make tokens. */
function isUsableKeyUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || isLoopback(url.hostname);
}

export const authSchema = section({
  mode: choice(['open', 'htpasswd', 'delegate'], 'open').describe(
    'Who decides what clients may do. `open`: the upstreams alone; the edge asks for no login. `htpasswd`: the users and rules of this configuration. `delegate`: the upstream with `credentials: forward`, the authority. What the authority let a user pull is remembered for its outages.',
  ),
  htpasswdFile: file
    .optional()
    .describe(
      'For `htpasswd`: file with users and bcrypt hashes, as `breakwater user add` and `htpasswd -B` write it. A change takes effect at once.',
    ),
  breakGlassFile: file
    .optional()
    .describe(
      'For `delegate`: file with emergency users and bcrypt hashes. They may log in only while the authority cannot be reached, and pull what `access` allows. Their names end in `@break-glass`. A change takes effect at once.',
    ),
  groups: z
    .record(userName, z.array(userName))
    .default({})
    .describe('For `htpasswd` and `breakGlassFile`: users by the name of a group, for example `ci: [build, deploy]`.'),
  access: z
    .record(ruleHolder, z.array(accessRule))
    .default({})
    .describe(
      'For `htpasswd` and `breakGlassFile`: rules of a user, a group (`@ci`) or every user (`*`), for example `library/** pull,push`. `**` matches any number of path components, `*` any text within one. For a route with a `registry`, patterns begin with the registry. Without a matching rule an action is denied.',
    ),
  remember: duration('24h', 0).describe(
    'For `delegate`: how long users may pull during an outage what the authority last let them pull. 0s: not at all.',
  ),
  canary: z
    .union([z.literal('none'), staticCredentials])
    .optional()
    .describe(
      "For `delegate`: a login of the authority that is known to be good, preferably from the same directory as your users. While it is accepted, the authority's refusals of other logins are believed. If it is refused like all others, the authority is unable to check logins. Default: the credentials of the authority's probe.",
    ),
  issuers: list(issuer).describe(
    'For `delegate`: issuers of JWTs that clients use as passwords (with any user name) or as Bearer tokens, such as those of Kubernetes service accounts. Breakwater remembers such a login by issuer, subject and user name. So a new token of the same subject, under the same name, pulls in an outage.',
  ),
  realmHosts: list(realmHost).describe(
    'For `delegate`: hosts of token services that may get passwords of users. They are added to `realmHosts` of the authority.',
  ),
  anonymous: list(network).describe('Networks that may pull without credentials on routes with `anonymous: true`.'),
  tokenLifetime: duration('1h', 60_000).describe(
    'How long an access token is valid. Some clients use one token for a whole pull.',
  ),
  refreshLifetime: duration('24d', 60_000).describe(
    'How long `docker login` lasts, if the client stores a refresh token in place of the password.',
  ),
});
