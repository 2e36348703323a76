import { createContext, Script } from 'node:vm';

/** A pattern of a configuration must not keep the command busy for ever. */
const TIME_LIMIT_MS = 200;

const context = createContext(Object.assign(Object.create(null), { pattern: '', flags: '', text: '' }));
const script = new Script('new RegExp(pattern, flags).exec(text)');

/** What a regular expression of nginx found, or that it cannot be told. */
export type Match = { found: boolean; groups: string[]; named: Record<string, string> } | undefined;

/**
 * Applies a regular expression of nginx (PCRE) to a text.
 * @returns undefined for what JavaScript cannot read, and where the search takes too long
 */
export function matchPattern(pattern: string, text: string, ignoreCase = false): Match {
  // Named groups of PCRE's older form, and flags at the beginning.
  const inline = /^\(\?i\)/.test(pattern);
  const source = pattern.replace(/^\(\?i\)/, '').replaceAll('(?P<', '(?<');
  Object.assign(context, { pattern: source, flags: ignoreCase || inline ? 'i' : '', text });
  try {
    const found = script.runInContext(context, { timeout: TIME_LIMIT_MS }) as RegExpExecArray | null;
    if (found === null) return { found: false, groups: [], named: {} };
    const groups = Array.from(found, (group: string | undefined) => group ?? '');
    return { found: true, groups, named: { ...(found.groups ?? {}) } };
  } catch {
    return undefined;
  }
}
