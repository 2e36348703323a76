import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { alertRules } from '../../../bin/alert-docs.ts';
import { missing } from '../../helpers/tool.ts';
import { startCornerEdge } from './corner-edge.ts';
import { chosenAll, readDashboard } from './dashboard.ts';
import { startOutageSite } from './outage-site.ts';
import { FOLDER, startPrometheus } from './prometheus.ts';

const rules = alertRules(readFileSync(join(FOLDER, 'breakwater.rules.yml'), 'utf8'));
/** The other edge, whose clock it shows, is gone by then. */
const EMPTY = 'Clocks';
const TOKEN = 'a token that opens only metrics';

t.test('each alert fires in a real outage, and none while all is well', { skip: missing('prometheus') }, async (t) => {
  const site = await startOutageSite(t, TOKEN);
  const corner = await startCornerEdge(t, TOKEN);
  const prometheus = await startPrometheus(
    t,
    { breakwater: [site.admin, site.otherAdmin], 'breakwater-corner': [corner.admin] },
    TOKEN,
  );
  await prometheus.scraped(3);
  t.same(await prometheus.firing(), [], 'all is well');

  await corner.fail();
  await prometheus.sees(...corner.alerts);
  for (const [what, { cause, alerts }] of Object.entries(site.outages)) {
    await cause((...names) => prometheus.sees(...names));
    await prometheus.sees(...alerts);
    await prometheus.firing();
    t.pass(what);
  }
  for (const { title, targets } of readDashboard().panels)
    for (const { expr } of targets) {
      const found = await prometheus.query(chosenAll(expr));
      t.equal(found.length > 0, title !== EMPTY, `${title}: ${expr}`);
    }

  await Promise.all([site.stop(), corner.stop()]);
  await prometheus.sees('BreakwaterNoEdge');

  const fired = await prometheus.fired();
  t.same(
    rules.map(({ alert }) => alert).filter((name) => !fired.has(name)),
    [],
    'every rule has fired',
  );
  for (const [name, { annotations }] of prometheus.seen)
    for (const text of Object.values(annotations)) t.notMatch(text, /<no value>|<error|\(\)| {2}/, name);
});
