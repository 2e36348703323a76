/**
 * Word that something may have changed on a push upstream. It may come twice, late, out of order or not at all: who acts on it looks at
 * the source first.
 */
export interface Hint {
  /** In the push upstream's own names. */
  repository: string;
  /** Tag or digest. With `delete` the digest may be that of a blob: distribution does not say of what it was. */
  reference: string;
  kind: 'push' | 'delete';
  from: 'edge' | 'harbor' | 'distribution';
  /** The push upstream. Hooks do not say which one they are from; whoever takes one finds out. */
  upstream?: string;
}
