import type { ProxyName } from '../options.ts';

/** A way to the upstream that is measured. */
export interface Contender {
  /** Name in the tables. */
  name: string;
  url: string;
  /** The process whose CPU time and memory count, with its children; undefined where there is no proxy. */
  pid?: number;
}

export const EDGE: ProxyName = 'edge';
export const NGINX: ProxyName = 'nginx';
/** The upstream itself over plain HTTP: the limit of the load generator and the upstream. */
export const DIRECT = 'no proxy, no TLS';
