/** What is wrong with what a fault proxy carries; nothing, if empty. */
export interface Faults {
  /** Bytes of a body in a second; its header comes at once. */
  trickle?: number;
  /** Each request of so many for content is answered 500; `/v2/` never. */
  failEvery?: number;
  /** A body longer than `after` bytes breaks off there: with a RST, or with nothing more. */
  cut?: { how: 'reset' | 'stall'; after: number };
}

/** Where a fault proxy listens, as it says itself on its first line of output. */
export interface FaultProxyPorts {
  /** For `PUT /faults` and `GET /requests`. */
  control: number;
  lines: number[];
}
