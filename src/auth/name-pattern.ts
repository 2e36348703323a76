const ANY_COMPONENTS = '**';

/** A pattern for repository names. `**` stands for any number of components, including none; `*` for any text within one component. */
export class NamePattern {
  /** Each component as the texts between its stars. */
  readonly #parts: readonly (typeof ANY_COMPONENTS | readonly string[])[];

  constructor(pattern: string) {
    this.#parts = pattern.split('/').map((part) => (part === ANY_COMPONENTS ? part : part.split(/\*+/)));
  }

  matches(name: string): boolean {
    const names = name.split('/');
    const parts = this.#parts;
    // Only the last `**` can take one component more, so matching is at most quadratic.
    let retry: { part: number; name: number } | undefined;
    let part = 0;
    let at = 0;
    while (at < names.length) {
      const wanted = parts[part];
      if (wanted === ANY_COMPONENTS) {
        retry = { part, name: at };
        part += 1;
      } else if (wanted && matchesPart(names[at] ?? '', wanted)) {
        part += 1;
        at += 1;
      } else if (retry) {
        retry.name += 1;
        part = retry.part + 1;
        at = retry.name;
      } else {
        return false;
      }
    }
    return parts.slice(part).every((rest) => rest === ANY_COMPONENTS);
  }
}

/** No regular expression, because several stars could backtrack for seconds. The first match of each text is as good as any other. */
function matchesPart(name: string, texts: readonly string[]): boolean {
  const [first = '', ...middle] = texts;
  const last = middle.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const text of middle) {
    const found = name.indexOf(text, at);
    if (found < 0) return false;
    at = found + text.length;
  }
  return at <= end;
}
