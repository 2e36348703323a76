/** Stands in the first line of each file that `breakwater client` and `breakwater cert bundle` write whole. */
const MARK = /Written by `breakwater (client|cert bundle)\b/;

/** Whether one of these commands wrote a file, so that either may replace it. */
export function isOwnFile(text: string): boolean {
  return MARK.test(text.split('\n', 1)[0] ?? '');
}
