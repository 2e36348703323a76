export interface ClientOptions {
  config?: string;
  hostname?: string;
  ca?: string;
  mirror: string[];
  withFallback?: boolean;
  fallback?: string;
  fallbackCa?: string;
  clientVersion?: string;
  user?: string;
  passwordFile?: string;
  image?: string;
  output?: string;
  script?: string;
  force?: boolean;
  json?: boolean;
}
