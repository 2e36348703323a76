import type { KeyPath } from './key-path.ts';

const LONGEST = 60;
/** Keys where a secret itself is sometimes written in place of the name of its file, or of a kind of credentials. */
const SECRET = /^(credentials|username|password|passwordFile|keyFile|adminTokenFile|hookSecretFile)$/;

/** What was found, for a message: never a secret, never a control character, never long. */
export function shownValue(value: unknown, path: KeyPath): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'is empty';
  if (Array.isArray(value)) return 'is a list';
  if (typeof value === 'object') return 'is a map';
  if (SECRET.test(String(path.at(-1))))
    return `is ${typeof value === 'string' ? 'text' : `a ${typeof value}`} that is not shown`;
  if (typeof value !== 'string') return `is ${String(value)}`;
  const text = path.includes('urls') ? withoutSecrets(value) : value;
  return `is ${JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)}`;
}

/** A URL, or what should have been one, without user, password and query. */
function withoutSecrets(url: string): string {
  return url.replace(/^([a-z+.-]+:\/\/)?.*@/is, '$1…@').replace(/[?#].*$/s, '?…');
}
