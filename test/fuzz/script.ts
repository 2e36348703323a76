/** All that one connection says, and how it ends. */
export interface Script {
  listener: 'https' | 'plain' | 'admin' | 'redirect';
  protocol: 'HTTP/1.1' | 'HTTP/2';
  /** Requests that it makes, whole or not. */
  requests: number;
  /** What is written, one after the other. */
  writes: Buffer[];
  /** `wait`: the client waits for answers. `end`: it says that nothing follows. `reset`: it is gone at once. */
  ending: 'wait' | 'end' | 'reset';
  /** Its first request is a whole one of a usual client, so that an answer is sure to come. */
  answered: boolean;
}
