import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import { serveHarborLists } from './harbor-lists.ts';

const COMPONENTS = ['core', 'database', 'jobservice', 'portal', 'redis', 'registry', 'registryctl'];

/** Harbor's own is up to 10 s. */
const HEALTH_DELAY_MS = 5000;

type Page = (exchange: Exchange, isUser: boolean) => void;

const PAGES: Record<string, Page> = {
  '/': servePage,
  '/api/v2.0/ping': (exchange) => exchange.reply(200, { 'content-type': 'text/plain' }, 'Pong'),
  '/api/v2.0/health': serveHealth,
  '/api/v2.0/systeminfo': serveSystemInfo,
};

/** What Harbor serves beside the registry: its health, its lists, and a page that sets what must not cross to another upstream. */
export function serveHarbor(exchange: Exchange, isUser: boolean): void {
  const { path } = exchange;
  if (serveHarborLists(exchange, isUser)) return;
  const page = PAGES[path] ?? (path.startsWith('/c/') ? servePage : undefined);
  if (!page) throw new LabError(404, 'NOT_FOUND', 'no such page');
  page(exchange, isUser);
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
function serveSystemInfo(exchange: Exchange, isUser: boolean): void {
  const forUsers = { harbor_version: 'v2.13.0-lab', read_only: exchange.faults.isOn('readOnly') };
  exchange.json(200, { auth_mode: 'db_auth', self_registration: false, ...(isUser ? forUsers : {}) });
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
