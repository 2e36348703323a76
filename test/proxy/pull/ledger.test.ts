import t from 'tap';
import { until } from '../../helpers/until.ts';
import { CASES } from './ledger-cases.ts';
import { digestOf, POLICIES, pathOf, startLedgerSite, tagWarning } from './ledger-site.ts';
import { lineFor } from './paced-upstream.ts';

// A tag that a fallback shows is held against what the push upstream last showed (docs/ledger.md).

for (const { says, before, verdict, expect, warns } of CASES) {
  t.test(`a tag of the fallback: ${says}`, async (t) => {
    const site = await startLedgerSite(t);
    const { edge } = site.lab;
    const tags = await Promise.all(POLICIES.map((policy) => before(site, `${policy}/app:1`)));
    await site.outage();
    for (const [index, policy] of POLICIES.entries()) {
      const { shown = '', current } = tags[index] ?? {};
      const wanted = expect[policy];
      for (const method of ['GET', 'HEAD']) {
        for (const client of [edge.http1(), edge.http2()]) {
          const reply = await client.ask(pathOf(`${policy}/app:1`), { method });
          const name = `${policy}, ${method}, ${client.version}`;
          const { tag } = await lineFor(edge, reply);
          if (wanted === 'refused') {
            t.match(reply, { status: 503, headers: { 'retry-after': '5' } }, name);
            t.match(tag, { verdict, action: 'refused', text: warns }, 'the log says why');
            continue;
          }
          t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, name);
          t.equal(digestOf(reply), wanted === 'right' ? current : shown);
          if (wanted === 'warned') t.match(tagWarning(reply), warns);
          else t.equal(tagWarning(reply), undefined);
          const action = { right: 'replaced', shown: 'served', warned: 'warned' }[wanted];
          t.match(tag, { verdict, action });
        }
      }
    }
    await until(async () => (await edge.admin('/metrics')).body.includes(`breakwater_tags_total{verdict="${verdict}"`));
  });
}
