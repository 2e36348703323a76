/** Tokens made while the authority cannot be asked are short, in milliseconds: their bearer is to come back when it can be. */
export const OUTAGE_MS = 300_000;
