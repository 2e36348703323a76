import type { AcmeStep } from './schedule.ts';

/** What a status shows. Times are epoch milliseconds. */
export interface AcmeView {
  /** `none`: clients get a certificate that they refuse. */
  state: 'none' | 'valid' | 'renewing' | 'ordering' | 'expired';
  names: readonly string[];
  until: number | undefined;
  /** What makes it one to be replaced: it is of another ACME server, or has not all names. */
  lacks: 'directory' | 'names' | undefined;
  /** What is waited for. */
  waits: Extract<AcmeStep, { do: 'wait' }>['reason'] | undefined;
  nextAt: number | undefined;
  /** Orders of all edges within the last week. */
  orders: number;
  failures: number;
  lastError: string | undefined;
}

/** What becomes of an operator's wish for an order. */
export interface AcmeWish {
  names: readonly string[];
  /** `under-way`: an order is being placed already, and there is no other one. */
  by: 'under-way' | 'this-edge' | 'site';
}
