/** What was meant to be a URL, without user and password: it is in the list of processes, for all to see; in a message it would be in logs too. */
export function withoutUser(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/+)?.*@/i, '$1***@');
}
