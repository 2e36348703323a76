import { PROXY_VERDICTS } from './proxy-verdicts.ts';
import { REQUEST_VERDICTS } from './request-verdicts.ts';
import { cannot, PASSES, PROGRAM, type TableRow } from './verdict-row.ts';

/** Directives of nginx (https://nginx.org/en/docs/dirindex.html, December 2026), of OpenResty, njs and nginx-module-vts. */
export const VERDICTS: Readonly<Record<string, TableRow>> = { ...PROXY_VERDICTS, ...REQUEST_VERDICTS };

/** Programs of OpenResty, by the ends of their directives. */
const LUA = /_by_lua(_block|_file)?$/;
/** Settings of other kinds of upstreams. */
const OTHER_PROTOCOL = /^(fastcgi|uwsgi|scgi|grpc|memcached)_/;

export function tableRow(name: string): TableRow {
  const row = VERDICTS[name];
  if (row !== undefined && Object.hasOwn(VERDICTS, name)) return row;
  if (/^(init|init_worker|exit_worker|log|ssl_certificate)_by_lua/.test(name)) return { ...PROGRAM, verdict: 'cannot' };
  if (LUA.test(name)) return PROGRAM;
  if (OTHER_PROTOCOL.test(name)) return PASSES;
  return cannot('This directive is not known here. See in its documentation whether somebody relies on it.');
}
