import { basic } from '../helpers/forward-site.ts';
import type { Reply } from '../helpers/http1-client.ts';
import { manifestOf } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { EdgePair, HOOK_SECRET, ROBOT } from './edge-pair.ts';
import type { PairSchedule } from './pair-schedule.ts';
import { RegistryUsers } from './registry-users.ts';
import { StatefulRegistry } from './stateful-registry.ts';
import type { VirtualTime } from './virtual-time.ts';

export const MIRROR = 'mirror/';
export const PASSWORD = 'the password';
const CANARY = Buffer.from('a canary');

const USERS = {
  [ROBOT.name]: { password: ROBOT.password },
  ann: { password: PASSWORD },
  bob: { password: PASSWORD, reads: ['open/'] },
};

/** More than the time between two probes, in milliseconds. */
const NOTICED_MS = 6000;
/** Milliseconds between two requests. Without any, the order of two pushes would be unknown. */
const STEP_MS = 5;

interface UserRequest {
  method?: string;
  body?: Buffer;
  type?: string;
  /** It is part of a push. */
  forPush?: boolean;
}

function actionsOf(method: string, forPush: boolean): string {
  if (forPush) return 'pull,push';
  return method === 'DELETE' ? 'delete' : 'pull';
}

/** Two edges before a primary and a fallback, with clients. */
export class PairSite {
  readonly time: VirtualTime;
  readonly primary: StatefulRegistry;
  readonly fallback: StatefulRegistry;
  readonly edges: EdgePair;
  readonly mode: PairSchedule['mode'];
  readonly deletions: PairSchedule['deletions'];
  readonly staleTags: PairSchedule['staleTags'];

  private constructor(
    time: VirtualTime,
    [primary, fallback]: readonly [StatefulRegistry, StatefulRegistry],
    edges: EdgePair,
    { mode, deletions, staleTags }: PairSchedule,
  ) {
    this.time = time;
    this.primary = primary;
    this.fallback = fallback;
    this.edges = edges;
    this.mode = mode;
    this.deletions = deletions;
    this.staleTags = staleTags;
  }

  static async start(owner: Owner, time: VirtualTime, schedule: PairSchedule): Promise<PairSite> {
    const { mode, deletions, staleTags } = schedule;
    const registries = await Promise.all([StatefulRegistry.start(owner), StatefulRegistry.start(owner)]);
    const [primary, fallback] = registries;
    primary.users = new RegistryUsers(mode === 'open' ? 'basic' : 'bearer', USERS);
    for (const { state } of registries) state.put('canary', 'latest', manifestOf(CANARY), CANARY);
    const probe = { canary: 'canary:latest', interval: '5s', fall: 2, rise: 2, holdDown: '2s', settle: '1s' };
    const credentials = { username: ROBOT.name, passwordFile: 'x' };
    const edges = await EdgePair.start(owner, time, {
      keyFile: 'x',
      adminTokenFile: 'x',
      auth: { mode },
      verify: 'never',
      replication: { every: '5s', hookSecretFile: 'x' },
      upstreams: {
        harbor: {
          urls: [primary.url],
          credentials: 'forward',
          probe: { ...probe, credentials },
          // Those of the probe would do for copies, and not for looks at tags and lost content.
          replication: { credentials },
        },
        gcr: { urls: [fallback.url], probe },
      },
      routes: [
        {
          prefix: '',
          push: 'harbor',
          pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: MIRROR, replicate: true }],
          deletions,
          staleTags,
        },
      ],
    });
    return new PairSite(time, registries, edges, schedule);
  }

  /** A request of a user, as a client makes it. Undefined: no reply. */
  async ask(
    edge: number,
    user: string,
    path: string,
    { method = 'GET', body, type, forPush = false }: UserRequest = {},
  ): Promise<Reply | undefined> {
    await this.time.pass(STEP_MS);
    const login = basic(user, PASSWORD);
    const send = (authorization: string) => {
      const headers = { authorization, ...(type === undefined ? {} : { 'content-type': type }) };
      return this.edges.ask(edge, path, { method, headers, ...(body ? { body } : {}) });
    };
    if (this.mode !== 'delegate') return send(login);
    for (let tries = 1; ; tries += 1) {
      const token = await this.#token(edge, login, path, actionsOf(method, forPush));
      if (token?.status !== 200) return token;
      const reply = await send(`Bearer ${JSON.parse(token.body.toString()).token}`);
      // The users can be asked again since the token was made: as clients do, once more with a new one.
      if (tries > 1 || !/error="invalid_token"/.test(String(reply?.headers['www-authenticate']))) return reply;
    }
  }

  hook(edge: number, event: object): Promise<Reply | undefined> {
    const headers = { authorization: HOOK_SECRET, 'content-type': 'application/json' };
    return this.edges.ask(edge, '/hooks/harbor', { method: 'POST', headers, body: JSON.stringify(event) });
  }

  /** Whether an edge has been able to notice for a while that the primary is well. */
  seemsWell(edge: number): boolean {
    const primary = this.edges
      .app(edge)
      ?.status()
      .upstreams.find(({ name }) => name === 'harbor');
    return primary?.state === 'up' && this.time.now - this.primary.faultSetAt > NOTICED_MS;
  }

  /** Ends both edges while time still passes. */
  async stop(): Promise<void> {
    for (const edge of [0, 1]) await this.edges.kill(edge);
  }

  #token(edge: number, authorization: string, path: string, actions: string): Promise<Reply | undefined> {
    const [, repository] = /^[/]v2[/](.+?)[/](?:manifests|blobs|tags)[/]/.exec(path) ?? [];
    const query = new URLSearchParams({ service: 'edge.test', scope: `repository:${repository}:${actions}` });
    return this.edges.ask(edge, `/auth/token?${query}`, { headers: { authorization } });
  }
}
