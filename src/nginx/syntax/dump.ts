/** A file as `nginx -T` prints it. */
export interface DumpedFile {
  path: string;
  text: string;
  /** Line of the dump that its first line is. */
  firstLine: number;
}

const MARK = /^# configuration file (\/.*):$/;

/** The files of what `nginx -T` printed, the main one first. Undefined for a text of another kind. */
export function splitDump(text: string): DumpedFile[] | undefined {
  const files: { path: string; lines: string[]; firstLine: number }[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const path = MARK.exec(line.trimEnd())?.[1];
    if (path !== undefined) files.push({ path, lines: [], firstLine: index + 2 });
    else files.at(-1)?.lines.push(line);
  }
  if (files.length === 0) return undefined;
  return files.map(({ path, lines, firstLine }) => ({ path, text: lines.join('\n'), firstLine }));
}
