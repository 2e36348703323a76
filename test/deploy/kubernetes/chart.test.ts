import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { documentedValues } from '../../../bin/chart-schema.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { CHART, EXAMPLES } from './chart.ts';

const read = (name: string) => readFileSync(join(CHART, name), 'utf8');
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
const values = parse(read('values.yaml'));
const documented = documentedValues(read('values.yaml')).map(({ key }) => key);

t.test('chart and static pod have the version of the package', async (t) => {
  t.match(parse(read('Chart.yaml')), { version, appVersion: version });
  const { spec } = parse(read('../static-pod/breakwater.yaml'));
  t.equal(spec.containers[0].image, `${values.image.repository}:${version}`);
});

t.test('every value has a default or a row of its own, and every default is documented', async (t) => {
  t.ok(documented.length > 40);
  for (const [name, value] of Object.entries(values)) {
    t.ok(documented.includes(name), name);
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && name !== 'resources')
      for (const inner of Object.keys(value)) t.ok(documented.includes(`${name}.${inner}`), `${name}.${inner}`);
  }
});

t.test(
  'the static pod has the time that a planned stop takes by default, and asks where the edge listens by default',
  async (t) => {
    const { spec } = parse(read('../static-pod/breakwater.yaml'));
    const { drain, listen } = configSchema.parse(
      parse(readFileSync(join(CHART, '../../../config/breakwater.yaml'), 'utf8')),
    );
    t.ok(spec.terminationGracePeriodSeconds * 1000 > drain.announce + drain.timeout);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { host, port } = spec.containers[0][probe].httpGet;
      t.equal(`${host}:${port}`, listen.admin, probe);
    }
  },
);

for (const example of EXAMPLES)
  t.test(`the configuration of examples/${example}.yaml follows the schema, and has no secret in it`, async (t) => {
    const { config, files } = parse(read(`examples/${example}.yaml`));
    t.equal(configSchema.safeParse(config).error, undefined);
    for (const source of Object.values<object>(files)) t.match(Object.keys(source), [/^(secret|configMap)$/, 'key']);
  });
