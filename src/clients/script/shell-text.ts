/** A text as one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Commands that print a text, which ends in a line break. `name` is unique in the script. */
export function hereDocument(text: string, name: string): string {
  if (!text.endsWith('\n') || text.split('\n').includes(name)) throw new Error(`${name} cannot hold this text`);
  return `cat <<'${name}'\n${text}${name}`;
}
