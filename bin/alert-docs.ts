import { parse } from 'yaml';
import { z } from 'zod';

const START = '<!-- The table of alerts: npm run docs writes it. -->';
const END = '<!-- End of the table of alerts. -->';

const rule = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook: z.string() }),
});
const rulesFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })),
});

/** A rule that raises an alert, as it stands in deploy/prometheus/breakwater.rules.yml. */
export type AlertRule = z.output<typeof rule>;

/** @throws ZodError on a rule without one of the fields that every rule has */
export function alertRules(file: string): AlertRule[] {
  return rulesFile.parse(parse(file)).groups.flatMap(({ rules }) => rules);
}

/** The page with its table written anew. What stands around the table is written by hand. */
export function alertMarkdown(page: string, file: string): string {
  const [before, rest] = page.split(START);
  const [, after] = (rest ?? '').split(END);
  if (before === undefined || after === undefined) throw new Error(`the page needs the lines ${START} and ${END}`);
  const head = ['| alert | severity | when | what it means, and what to do |', '|---|---|---|---|'];
  return `${before}${START}\n\n${[...head, ...alertRules(file).map(row)].join('\n')}\n\n${END}${after}`;
}

function row({ alert, expr, for: time, labels, annotations }: AlertRule): string {
  const condition = expr.trim().replace(/\s+/g, ' ').replaceAll('( ', '(').replaceAll(' )', ')').replaceAll('|', '\\|');
  const { description, runbook } = annotations;
  // The page lies in docs/, and a link to a heading of the same page needs no path.
  const link = runbook.replace(/^docs\/monitoring\.md/, '').replace(/^docs\//, '');
  return `| \`${alert}\` | ${labels.severity} | \`${condition}\`${time ? ` for ${time}` : ''} | ${description.trim()} [More](${link}) |`;
}
