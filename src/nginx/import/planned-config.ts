/** Credentials as the configuration names them. */
export type PlannedCredentials =
  | 'forward'
  | 'none'
  | { username: string; passwordFile: string }
  | { helper: string }
  | { metadata: 'gcp' };

export interface PlannedUpstream {
  urls: string[];
  caFile?: string;
  credentials?: PlannedCredentials;
  redirects?: { hosts: string[] };
  deadlines?: { connect?: string; commit?: string };
  probe?: { kind: 'harbor' };
}

export interface PlannedRoute {
  prefix: string;
  registry?: string;
  push?: string;
  pull: { upstream: string; prefix?: string }[];
  onAbsent?: 'next';
  anonymous?: true;
}

/** A configuration of Breakwater as the import writes it; `config/schema.ts` has what all of it means. */
export interface PlannedConfig {
  hostname: string;
  aliases?: string[];
  listen: { https: string; http?: string; plain?: string; plainClients?: 'all'; proxyProtocol?: true };
  tls: { certFile: string; keyFile: string } | { certFile: string; keyFile: string }[];
  keyFile: string;
  auth?: {
    mode: 'htpasswd';
    htpasswdFile: string;
    access: Record<string, string[]>;
    anonymous?: string[];
  };
  trustedProxies?: string[];
  limits?: { headerBytes?: number };
  upstreams: Record<string, PlannedUpstream>;
  routes: PlannedRoute[];
  passthrough?: string;
}

/** A secret that stood in the nginx configuration, and the file that the configuration expects it in. */
export interface FoundSecret {
  file: string;
  content: string;
}
