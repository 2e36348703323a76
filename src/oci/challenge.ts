/** One challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1). Parameter names are lower-case. */
export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

const MAX_LENGTH = 8192;
const SCHEME = /^[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s|,|$)\s*/;
const PARAMETER = /^[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*/;
/** Some schemes have a token in place of parameters (`Negotiate YIIB==`). It is skipped, so that later challenges are not lost. */
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/;

/** Parses the challenges of a header value. A malformed part ends the list; an empty or broken header has none. */
export function parseChallenges(header: string | undefined): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = (header ?? '').slice(0, MAX_LENGTH);
  for (;;) {
    const parameter = PARAMETER.exec(rest);
    const current = challenges.at(-1);
    if (parameter && current) {
      const [whole, name = '', quoted, bare = ''] = parameter;
      current.parameters[name.toLowerCase()] = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
      rest = rest.slice(whole.length);
      continue;
    }
    const scheme = SCHEME.exec(rest);
    if (!scheme?.[1]) return challenges;
    // No prototype, because a parameter may be named `__proto__`.
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters: Object.create(null) });
    rest = rest.slice(scheme[0].length).replace(TOKEN68, '');
  }
}

export function formatChallenge({ scheme, parameters }: Challenge): string {
  const name = scheme.charAt(0).toUpperCase() + scheme.slice(1);
  const list = Object.entries(parameters).map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`);
  return list.length > 0 ? `${name} ${list.join(',')}` : name;
}
