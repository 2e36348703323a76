export interface ClientOptions {
  config?: string;
  hostname?: string;
  ca?: string;
  mirror: string[];
  withFallback?: boolean;
  fallback?: string;
  fallbackCa?: string;
  clientVersion?: string;
  output?: string;
  force?: boolean;
  json?: boolean;
}
