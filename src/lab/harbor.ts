import { type Access, type LabUser, within } from './access.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import { serveHarborLists } from './harbor-lists.ts';

const COMPONENTS = ['core', 'database', 'jobservice', 'portal', 'redis', 'registry', 'registryctl'];

/** Harbor's own is up to 10 s. */
const HEALTH_DELAY_MS = 5000;

type User = ReturnType<Access['userOf']>;
type Page = (exchange: Exchange, user: User, access: Access) => void;

const PAGES: Record<string, Page> = {
  '/': servePage,
  '/api/v2.0/ping': (exchange) => exchange.reply(200, { 'content-type': 'text/plain' }, 'Pong'),
  '/api/v2.0/health': serveHealth,
  '/api/v2.0/systeminfo': serveSystemInfo,
  '/api/v2.0/users/current': serveCurrentUser,
  '/api/v2.0/robots': serveRobots,
};
const PROJECT = /^\/api\/v2\.0\/projects\/([^/]+)$/;
/** Names of robots begin so (`robot_name_prefix`). */
const ROBOT = 'robot$';

/** What Harbor serves beside the registry: its health, its lists, and a page that sets what must not cross to another upstream. */
export function serveHarbor(exchange: Exchange, access: Access): void {
  const { path } = exchange;
  const user = access.userOf(exchange);
  const sees = (repository: string) => access.isPublic(repository) || mayRead(user, repository);
  if (serveHarborLists(exchange, sees)) return;
  const project = PROJECT.exec(path)?.[1];
  if (project !== undefined) {
    serveProject(exchange, project, user);
    return;
  }
  const page = PAGES[path] ?? (path.startsWith('/c/') ? servePage : undefined);
  if (!page) throw new LabError(404, 'NOT_FOUND', 'no such page');
  page(exchange, user, access);
}

function mayRead(user: User, repository: string): boolean {
  if (user === undefined || user === 'anyone') return user === 'anyone';
  return user.repositories === undefined || within(repository, user.repositories);
}

/** A robot is accepted, and is no user that Harbor could show: 412. */
function serveCurrentUser(exchange: Exchange, user: User): void {
  if (user === undefined) throw new LabError(401, 'UNAUTHORIZED', 'unauthorized');
  if (user !== 'anyone' && user.username.startsWith(ROBOT))
    throw new LabError(412, 'PRECONDITION', 'get current user not available for security context: robot');
  exchange.json(200, { user_id: 1, username: user === 'anyone' ? 'admin' : user.username });
}

/** The robots of the system, or those of one project (`q=Level=project,ProjectID=…`). */
function serveRobots(exchange: Exchange, user: User, access: Access): void {
  if (user === undefined) throw new LabError(401, 'UNAUTHORIZED', 'unauthorized');
  if (user !== 'anyone' && user.username.startsWith(ROBOT) && !user.readsRobots)
    throw new LabError(403, 'FORBIDDEN', 'forbidden');
  const id = /ProjectID=(\d+)/.exec(exchange.query.get('q') ?? '')?.[1];
  const isListed = ({ username }: LabUser) => {
    const project = projectOf(username);
    return username.startsWith(ROBOT) && (project === undefined ? id === undefined : String(idOf(project)) === id);
  };
  const robots = access.users
    .filter(isListed)
    .map(({ username, expiresAt = -1 }, index) => ({ id: index + 1, name: username, expires_at: expiresAt }));
  exchange.json(200, robots, { 'x-total-count': String(robots.length) });
}

function serveProject(exchange: Exchange, name: string, user: User): void {
  if (user === undefined) throw new LabError(401, 'UNAUTHORIZED', 'unauthorized');
  exchange.json(200, { project_id: idOf(name), name });
}

/** `team` for `robot$team+name`; undefined for a robot of the system. */
function projectOf(username: string): string | undefined {
  return /^robot\$([^+]+)\+/.exec(username)?.[1];
}

/** A number for each name of a project. */
function idOf(project: string): number {
  return [...project].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_000, 1);
}

/** Always 200, whatever it says. */
function serveHealth(exchange: Exchange): void {
  const { faults } = exchange;
  // Harbor looks at its database only now and then.
  const noticed = (faults.ageMs('databaseDown') ?? -1) >= (faults.parameters('databaseDown')?.ms ?? HEALTH_DELAY_MS);
  const bad = [
    ...(noticed || faults.isOn('emptyChallenge401') ? ['database'] : []),
    ...(exchange.faults.isOn('unhealthy') ? [exchange.faults.parameters('unhealthy')?.component ?? 'registry'] : []),
  ];
  const components = COMPONENTS.map((name) =>
    bad.includes(name) ? { name, status: 'unhealthy', error: 'switched so in the lab' } : { name, status: 'healthy' },
  );
  exchange.json(200, { status: bad.length > 0 ? 'unhealthy' : 'healthy', components });
}

/** The version and the mode are for users only. */
function serveSystemInfo(exchange: Exchange, user: User): void {
  const forUsers = { harbor_version: 'v2.13.0-lab', read_only: exchange.faults.isOn('readOnly') };
  exchange.json(200, { auth_mode: 'db_auth', self_registration: false, ...(user === undefined ? {} : forUsers) });
}

function servePage(exchange: Exchange): void {
  exchange.reply(
    200,
    {
      'content-type': 'text/html; charset=utf-8',
      'set-cookie': 'sid=lab; Path=/; HttpOnly',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'alt-svc': 'h3=":443"; ma=86400',
    },
    '<!doctype html><title>Harbor</title><p>This stands in for Harbor.</p>\n',
  );
}
