/** An answer that no edge of this site gives. */
export interface PeerRefusal {
  status: number;
}

/** The status with which an edge refuses a question that is not sealed with its key. */
const REFUSED = 403;

/** Why the party at an address is no edge of this site, as the status and `check` say it. */
export function strangerReason({ status }: PeerRefusal = { status: REFUSED }): string {
  if (status === REFUSED) return 'it refuses this edge, because it has another keyFile or another version';
  if (status === 200)
    return 'its answer cannot be read: it has another keyFile or another version, or is not Breakwater';
  return `it answers ${status}, so it is not Breakwater, or one that has no peers`;
}
