import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FOLDER } from './prometheus.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });
const area = z.strictObject({ x: z.int().min(0), y: z.int().min(0), w: z.int().min(1), h: z.int().min(1) });
const target = z.object({ refId: z.string(), datasource, expr: z.string(), legendFormat: z.string() });
const rowPanel = z.object({
  id: z.int(),
  type: z.literal('row'),
  title: z.string().min(1),
  gridPos: area,
  panels: z.array(z.never()),
});
const panel = z.object({
  id: z.int(),
  type: z.enum(['stat', 'timeseries', 'state-timeline']),
  title: z.string().min(1),
  description: z.string(),
  datasource,
  gridPos: area,
  targets: z.array(target).min(1),
  // Units that Grafana knows.
  fieldConfig: z.object({
    defaults: z.object({ unit: z.enum(['short', 'percentunit', 'reqps', 'ops', 'Bps', 'bytes', 's']) }),
    overrides: z.array(z.unknown()),
  }),
});
const dashboard = z.object({
  title: z.literal('Breakwater'),
  uid: z.string().min(1).max(40),
  id: z.null(),
  schemaVersion: z.int().min(39),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), definition: z.string().optional() })),
  }),
  panels: z.array(z.union([rowPanel, panel])),
});

export type Panel = z.output<typeof panel>;

/** The dashboard as it is shipped. @throws ZodError */
export function readDashboard() {
  const { panels, ...rest } = dashboard.parse(JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')));
  return { ...rest, all: panels, panels: panels.filter((one): one is Panel => one.type !== 'row') };
}

/** An expression as Grafana sends it with all sites and edges chosen. */
export function chosenAll(expression: string): string {
  return expression.replaceAll('$__rate_interval', '10m').replace(/\$(job|instance)\b/g, '.*');
}
