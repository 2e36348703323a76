const ANY_PARTS = '**';

/** A pattern for repository names: `**` stands for any number of parts, none included; `*` for any text within one part. */
export class NamePattern {
  readonly #parts: readonly (typeof ANY_PARTS | RegExp)[];

  constructor(pattern: string) {
    this.#parts = pattern.split('/').map((part) => (part === ANY_PARTS ? part : partPattern(part)));
  }

  matches(name: string): boolean {
    const names = name.split('/');
    const parts = this.#parts;
    // Only the last `**` that was met can take one part more: no other choice matters, so that this is at most quadratic.
    let retry: { part: number; name: number } | undefined;
    let part = 0;
    let at = 0;
    while (at < names.length) {
      const wanted = parts[part];
      if (wanted === ANY_PARTS) {
        retry = { part, name: at };
        part += 1;
      } else if (wanted?.test(names[at] ?? '')) {
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
    return parts.slice(part).every((rest) => rest === ANY_PARTS);
  }
}

function partPattern(part: string): RegExp {
  const literal = part.split(/\*+/).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('[^/]*')}$`);
}
