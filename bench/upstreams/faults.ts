/** Faults of a fault proxy; empty for none. */
export interface Faults {
  /** Bytes of a body in a second. The header comes at once. */
  trickle?: number;
  /** Every n-th request for content is answered 500, but never one for `/v2/`. */
  failEvery?: number;
  /** A body longer than `after` bytes breaks off there, by a RST or by silence. */
  cut?: { how: 'reset' | 'stall'; after: number };
}

/** Ports of a fault proxy, which its first line of output names. */
export interface FaultProxyPorts {
  /** For `PUT /faults` and `GET /requests`. */
  control: number;
  lines: number[];
}
