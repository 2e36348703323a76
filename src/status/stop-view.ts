/** A planned stop under way. Times are monotonic milliseconds. */
export interface StopView {
  /**
   * `holding`: all is served, because the VIP or a load balancer still leads here. `announcing`: `/readyz` and `/vipz` fail. `draining`: no new
   * connections are taken.
   */
  stage: 'holding' | 'announcing' | 'draining';
  since: number;
  /** When what is under way is cut. */
  until: number;
  /** Requests and connections that the stop waits for. Null: it does not count them. */
  underWay: number | null;
}
