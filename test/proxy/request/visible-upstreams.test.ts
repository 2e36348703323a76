import t from 'tap';
import type { Allowed } from '../../../src/auth/guard.ts';
import { visibleUpstreams } from '../../../src/proxy/request/visible-upstreams.ts';

t.test('which upstreams a client may be shown', async (t) => {
  const rows: [string, Allowed, string | undefined, string | undefined, object][] = [
    ['no authority: the edge knows its users itself', { user: 'ann' }, undefined, undefined, {}],
    ['its own credentials for the authority', { user: 'ann' }, 'Bearer t', 'harbor', {}],
    ['a token without any', { user: 'ann' }, undefined, 'harbor', { except: 'harbor' }],
    ['anonymous', { user: undefined }, undefined, 'harbor', { except: 'harbor' }],
    ['the authority may be hiding it', { user: 'ann', authorityOnly: true }, 'Bearer t', 'harbor', { only: 'harbor' }],
    [
      'it may be hiding it, and cannot be asked',
      { user: 'ann', authorityOnly: true },
      undefined,
      'harbor',
      { only: 'harbor', except: 'harbor' },
    ],
  ];
  for (const [says, permit, clientAuthorization, authority, visible] of rows)
    t.strictSame(visibleUpstreams({ permit, clientAuthorization }, { authority }), visible, says);
});
