/** How a registry answers the start of an upload: it takes it, it takes none at all, or something else, which says nothing. */
export type UploadVerdict = 'taken' | 'none' | 'unknown';

/**
 * What the answer to a start of an upload says of uploads. docker-registry with `readonly` answers 405. Only a start counts: it answers 405
 * to a DELETE also where deletion is switched off.
 */
export function uploadVerdict(status: number): UploadVerdict {
  if (status === 202) return 'taken';
  return status === 405 ? 'none' : 'unknown';
}

/** Whether a client's request is a start of an upload that may show that the registry takes none. A mount may be refused for itself. */
export function showsUploads({ kind, mounts }: { kind: string; mounts: boolean }): boolean {
  return kind === 'upload-start' && !mounts;
}
