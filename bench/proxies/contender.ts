import type { ProxyName } from '../options.ts';

/** What is measured: a way to the same upstream. */
export interface Contender {
  /** As the tables call it. */
  name: string;
  url: string;
  /** The process whose CPU time and memory count, with those below it; none where there is no proxy. */
  pid?: number;
}

export const EDGE: ProxyName = 'edge';
export const NGINX: ProxyName = 'nginx';
/** The upstream itself over plain HTTP: what the load generator and the upstream can do without a proxy. */
export const DIRECT = 'no proxy, no TLS';
