import type { Finding } from '../../clients/lint/finding.ts';
import type { SourceFile } from '../../clients/lint/lint.ts';
import { countText } from '../text-format.ts';

/** Findings for a person. */
export function findingsText(findings: readonly Finding[], sources: readonly SourceFile[]): string {
  const looked = countText(sources.length, 'file');
  if (findings.length === 0) return `no findings in ${looked}\n`;
  return `${findings.map(findingText).join('\n')}\n${countText(findings.length, 'finding')} in ${looked}\n`;
}

function findingText({ rule, effect, file, line, subject, happens, remedy, versions, versionKnown, program }: Finding) {
  const about = subject === undefined ? '' : `${shown(subject)}: `;
  const range =
    versions === undefined || versionKnown
      ? ''
      : `  This holds for ${program} ${versions}; the version is not known.\n`;
  return `${shown(file)}:${line} ${rule} (${effect})\n  ${about}${happens}\n${range}  Remedy: ${remedy}\n`;
}

/** Control characters of a name would move the cursor of a terminal. */
function shown(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '?');
}
