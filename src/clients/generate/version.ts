/** Whether `version` is `least` or later; both are numbers with dots. */
export function isAtLeast(version: string, least: string): boolean {
  const [given, wanted] = [version, least].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (const [index, part] of wanted.entries()) {
    const own = given[index] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

/** The known version that `given` belongs to: `1.7` for `v1.7.28` or `1.7.28-ubuntu1`. */
export function knownVersion(given: string, known: readonly string[]): string | undefined {
  const [, numbers = ''] = /^v?(\d+(?:\.\d+)*)(?:$|[-+~. ])/.exec(given) ?? [];
  return known.find((version) => numbers === version || numbers.startsWith(`${version}.`));
}
