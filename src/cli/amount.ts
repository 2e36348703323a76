const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes for people: `512 B`, `1.2 MB`. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[power]}`;
}

/** `1 tag`, `1,234 tags`. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** A text whose digests are cut to what tells them apart. */
export function withShortDigests(text: string): string {
  return text.replace(/\b(sha\d+:[0-9a-f]{12})[0-9a-f]+/g, '$1…');
}
