/** One challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1). Parameter names are lower-case. */
export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

const MAX_LENGTH = 8192;
const SCHEME = /^[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$)\s*/;
const PARAMETER = /^[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*/;
/** What some schemes have in place of parameters (`Negotiate YIIB==`); without it the challenges after one would be lost. */
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/;

/** Reads the challenges of a header value. What cannot be read ends the list: an empty or broken header has none. */
export function parseChallenges(header: string | undefined): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = (header ?? '').slice(0, MAX_LENGTH);
  for (;;) {
    const parameter = PARAMETER.exec(rest);
    const current = challenges.at(-1);
    if (parameter && current) {
      const [whole, name = '', quoted, bare] = parameter;
      current.parameters[name.toLowerCase()] = quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1');
      rest = rest.slice(whole.length);
      continue;
    }
    const scheme = SCHEME.exec(rest);
    if (!scheme?.[1]) return challenges;
    // Without a prototype: a parameter may be called `__proto__`.
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters: Object.create(null) });
    rest = rest.slice(scheme[0].length).replace(TOKEN68, '');
  }
}

/** Writes one challenge. */
export function formatChallenge({ scheme, parameters }: Challenge): string {
  const name = scheme.charAt(0).toUpperCase() + scheme.slice(1);
  const list = Object.entries(parameters).map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`);
  return list.length > 0 ? `${name} ${list.join(',')}` : name;
}
