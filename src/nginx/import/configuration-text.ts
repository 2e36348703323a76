import { Document } from 'yaml';
import type { PlannedConfig } from './planned-config.ts';

/** The configuration as YAML, with what is left to do at its top. */
export function configurationText(config: PlannedConfig, todo: readonly string[], source: string): string {
  const document = new Document(config, { aliasDuplicateObjects: false });
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  const head = [
    `# Made by \`breakwater nginx import\` from ${source}. docs/configuration.md explains every key, and \`breakwater check\` finds mistakes.`,
    ...(todo.length > 0 ? ['#', '# Before the first start:', ...todo.map((one) => `# - ${one}`)] : []),
  ];
  // A name of a file may have a line break, which would end the comment.
  return `${head.map((line) => line.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, '?')).join('\n')}\n${text}`;
}
