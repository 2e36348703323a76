import t from 'tap';
import { parse } from 'yaml';
import { fallbackAdvice, primaryAdvice } from '../../../src/cli/init/account-advice.ts';
import { configurationText } from '../../../src/cli/init/configuration-text.ts';
import type { SitePlan } from '../../../src/cli/init/site-plan.ts';
import { inspectConfig } from '../../../src/config/inspection.ts';

const ROBOT = { username: 'robot$breakwater', password: 'never to be seen' };

/** A plan, and what is different in it. */
function planWith(more: Partial<SitePlan> = {}): SitePlan {
  return {
    hostname: 'cr.example.io',
    https: '0.0.0.0:443',
    admin: '127.0.0.1:9443',
    auth: 'delegate',
    realmHosts: [],
    prefix: '',
    primary: {
      url: 'https://harbor.lan',
      kind: 'harbor',
      ca: undefined,
      account: ROBOT,
      canary: 'library/canary:latest',
    },
    fallback: {
      url: 'https://europe-docker.pkg.dev',
      prefix: 'my-project/images/',
      kind: 'artifact-registry',
      ca: undefined,
      realmHosts: [],
      account: { username: '_json_key', password: '{}' },
    },
    user: undefined,
    certificate: { from: 'ca' },
    ...more,
  };
}

function inspected(plan: SitePlan) {
  return inspectConfig(parse(configurationText(plan)));
}

t.test('every kind of site has a configuration with no finding', async (t) => {
  const registry = { ...planWith().primary, kind: 'registry' } as const;
  const ann = { username: 'ann', password: 'never to be seen' };
  const plans: Record<string, SitePlan> = {
    harbor: planWith(),
    'a private CA on both sides': planWith({
      primary: { ...planWith().primary, ca: 'PEM' },
      fallback: { ...planWith().fallback, kind: 'registry', ca: 'PEM' },
    }),
    'a prefix': planWith({ prefix: 'library/' }),
    'no path on the fallback': planWith({ fallback: { ...planWith().fallback, prefix: '' } }),
    'a token service elsewhere': planWith({ primary: registry, realmHosts: ['gitlab.lan'] }),
    'a token service of the fallback elsewhere': planWith({
      fallback: { ...planWith().fallback, realmHosts: ['auth.lan'] },
    }),
    'a certificate by ACME': planWith({
      certificate: { from: 'acme', email: 'ops@example.io', directory: 'https://ca.lan/directory', ca: 'PEM' },
    }),
    'a certificate of Let’s Encrypt': planWith({
      certificate: { from: 'acme', email: undefined, directory: undefined, ca: undefined },
    }),
    'users of the edge': planWith({ auth: 'htpasswd', user: ann }),
    'users of the edge, and registries without a login': planWith({
      ...{ auth: 'htpasswd', user: ann, primary: { ...registry, account: undefined } },
      fallback: { ...planWith().fallback, kind: 'registry', account: undefined },
    }),
    'nobody logs in': planWith({ auth: 'open', primary: { ...registry, account: undefined } }),
    'a fallback that is a Harbor': planWith({ fallback: { ...planWith().fallback, kind: 'harbor' } }),
  };
  for (const [name, plan] of Object.entries(plans)) {
    const { errors, warnings } = inspected(plan);
    t.strictSame({ errors, warnings }, { errors: [], warnings: [] }, name);
    t.notMatch(configurationText(plan), /never to be seen/, 'without a password');
  }
});

t.test('mode open before users of the primary is what check warns about', async (t) => {
  const { errors, warnings } = inspected(planWith({ auth: 'open' }));
  t.strictSame(errors, []);
  t.match(warnings, [{ message: /every client can pull every image/ }]);
});

t.test('names go through YAML as they are', async (t) => {
  for (const username of ['robot$library+ci', 'yes', '#a', "o'neill", 'a # b', '- a', '1e3', '{a}', '"a"']) {
    const account = { username, password: 'x' };
    const plan = planWith({ auth: 'htpasswd', user: { username: 'ann', password: 'x' } });
    const { config } = inspected({ ...plan, primary: { ...plan.primary, account } });
    t.match(config?.upstreams.primary?.credentials, { username }, username);
  }
});

t.test('who may do what', async (t) => {
  const { config } = inspected(planWith({ auth: 'htpasswd', user: { username: 'ann', password: 'x' } }));
  t.strictSame(config?.auth.access, { ann: ['** pull,push'], '*': ['** pull'] });
  t.match(config?.upstreams.primary?.credentials, { username: ROBOT.username }, 'the edge has an account of its own');
  const delegated = inspected(planWith()).config?.upstreams.primary;
  t.match(delegated, {
    credentials: 'forward',
    probe: { credentials: ROBOT.username && { username: ROBOT.username } },
  });
});

t.test('the canary of the fallback is the copy of the one of the primary', async (t) => {
  const canary = (plan: SitePlan) => inspected(plan).config?.upstreams.fallback?.probe.canary;
  t.equal(canary(planWith()), 'my-project/images/library/canary:latest');
  t.equal(canary(planWith({ prefix: 'library/' })), 'my-project/images/canary:latest');
  const elsewhere = { ...planWith().primary, canary: 'ops/alive:1' };
  t.equal(canary(planWith({ prefix: 'library/', primary: elsewhere })), 'my-project/images/canary:latest');
});

t.test('what an account of Harbor may do', async (t) => {
  const every = (auth: SitePlan['auth']) =>
    primaryAdvice('harbor', auth, 'ops/canary:latest').find((line) => line.startsWith('In every project'));
  t.notMatch(every('delegate'), /Push/, 'users push as themselves');
  t.match(every('htpasswd'), /Push Repository/, 'the edge pushes for its users');
  t.match(primaryAdvice('harbor', 'delegate', 'ops/canary:latest').join('\n'), /In the project ops also: Push/);
  t.match(primaryAdvice('registry', 'htpasswd', 'canary:latest').join('\n'), /push what its users push/);
  t.match(fallbackAdvice('artifact-registry').join('\n'), /roles\/artifactregistry\.writer on this repository/);
  t.match(fallbackAdvice('harbor').join('\n'), /never ends/);
  t.match(fallbackAdvice('registry').join('\n'), /pull and push/);
});
