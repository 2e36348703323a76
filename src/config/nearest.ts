/** The name that was probably meant: it differs by a few letters, or one is the beginning of the other. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const meant = name.toLowerCase();
  const [near] = names
    .map((candidate) => ({ candidate, distance: distance(meant, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  if (near && near.distance <= Math.max(2, meant.length / 3) && near.distance < meant.length) return near.candidate;
  if (meant.length < 3) return undefined;
  return names.find(
    (candidate) => candidate.toLowerCase().startsWith(meant) || meant.startsWith(candidate.toLowerCase()),
  );
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
