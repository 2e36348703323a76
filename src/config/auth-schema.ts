import { z } from 'zod';
import { accessRule, duration, file, hostName, network, ruleHolder, userName } from './text.ts';

export const authSchema = z
  .strictObject({
    mode: z
      .enum(['open', 'htpasswd', 'delegate'])
      .default('open')
      .describe(
        '`open`: the edge itself asks nobody who they are. `htpasswd`: users, passwords and rules of its own, whichever upstream serves. `delegate`: the upstream with `credentials: forward` decides; what it let users pull is remembered for the time when it cannot be asked.',
      ),
    htpasswdFile: file
      .optional()
      .describe(
        'For `htpasswd`: users and bcrypt hashes, as `breakwater user add` and `htpasswd -B` write them. Read again when it changes.',
      ),
    breakGlassFile: file
      .optional()
      .describe(
        'For `delegate`: users and bcrypt hashes, as in `htpasswdFile`, who may log in only while the authority cannot be asked, and pull what `access` allows them. Their names end in `@break-glass`. Read again when it changes.',
      ),
    groups: z
      .record(userName, z.array(userName))
      .default({})
      .describe('For `htpasswd` and `breakGlassFile`: users that share rules, by the name of the group.'),
    access: z
      .record(ruleHolder, z.array(accessRule))
      .default({})
      .describe(
        'For `htpasswd` and `breakGlassFile`: what a user, a group (`@name`) or every user (`*`) may do, such as `library/** pull,push`. `**` stands for any number of parts of a name, `*` for text within one. Repositories of a route with a `registry` begin with its name. Nothing is allowed that no rule allows.',
      ),
    remember: duration('24h', 0).describe(
      'For `delegate`: how long a user may go on to pull what the authority last let them pull, while it cannot be asked. 0s: not at all.',
    ),
    realmHosts: z
      .array(hostName)
      .default([])
      .describe(
        "For `delegate`: further hosts whose token service may be given users' passwords, where the authority's is not on its own host.",
      ),
    anonymous: z
      .array(network)
      .default([])
      .describe('Networks that may pull without credentials on routes with `anonymous: true`.'),
    tokenLifetime: duration('1h', 60_000).describe(
      'How long a token opens what it was made for. Some clients do not ask for another one during a long pull.',
    ),
    refreshLifetime: duration('24d', 60_000).describe(
      'How long `docker login` lasts: the time for which the token that it keeps in place of the password brings new ones.',
    ),
  })
  .prefault({});
