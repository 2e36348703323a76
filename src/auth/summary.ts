/** Why the authority cannot be asked, in words that clients may see. */
export function summaryOf(error: unknown): string {
  return error instanceof Error && 'summary' in error ? String(error.summary) : 'it does not answer';
}
