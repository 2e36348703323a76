const POWERS = ['', 'k', 'M', 'G', 'T'];

/** Options of `breakwater sync`, as commander parses them. */
export interface SyncCommandOptions {
  config?: string;
  dryRun?: boolean;
  prefix?: string;
  repository?: string[];
  repositoryFile?: string;
  tagFilter?: string[];
  keep?: boolean;
  replace?: boolean;
  newer?: boolean;
  admin?: string;
  tokenFile?: string;
  images?: number;
  blobs?: number;
  /** Bytes a second. */
  maxBandwidth?: number;
  json?: boolean;
  fromPrefix?: string;
  toPrefix?: string;
  fromUser?: string;
  fromPasswordFile?: string;
  fromCa?: string;
  fromRealmHost?: string[];
  fromRedirectHost?: string[];
  toUser?: string;
  toPasswordFile?: string;
  toCa?: string;
  toRealmHost?: string[];
}

/** Reads bytes a second: `500000`, `20MB`, `1.5 GiB/s`; undefined if the text is no rate. */
export function readByteRate(text: string): number | undefined {
  const [, amount = '', letter = '', binary] =
    /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?(?:\/s)?$/i.exec(text.trim()) ?? [];
  if (amount === '' || (letter === '' && binary)) return undefined;
  const power = POWERS.findIndex((one) => one.toLowerCase() === letter.toLowerCase());
  const bytes = Math.round(Number(amount) * (binary ? 1024 : 1000) ** power);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
