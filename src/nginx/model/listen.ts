/** What a `listen` of nginx says. */
export interface Listen {
  /** `0.0.0.0`, `[::]`, another address, or `unix:/PATH`. */
  host: string;
  port: string;
  isTls: boolean;
  isProxied: boolean;
  isDefault: boolean;
}

/** @param args of a `listen` directive */
export function parseListen([where = '', ...flags]: readonly string[]): Listen {
  const shared = {
    isTls: flags.includes('ssl') || flags.includes('quic'),
    isProxied: flags.includes('proxy_protocol'),
    isDefault: flags.includes('default_server') || flags.includes('default'),
  };
  if (where.startsWith('unix:')) return { host: where, port: '', ...shared };
  if (/^\d+$/.test(where)) return { host: '0.0.0.0', port: where, ...shared };
  const [, host = where, port = '80'] = /^(.*?)(?::(\d+))?$/.exec(/^\[.*\]$/.test(where) ? `${where}:80` : where) ?? [];
  return { host: host === '*' || host === '' ? '0.0.0.0' : host, port, ...shared };
}

/** Whether a connection to an address of this machine meets that listener. */
export function isServedBy(address: string, { host, port }: Listen): boolean {
  if (address.startsWith('unix:')) return address.replace(/:$/, '') === host.replace(/:$/, '');
  const [, name = '', of = '80'] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
  if (of !== port) return false;
  const isLocal = name === 'localhost' || name.startsWith('127.') || name === '[::1]';
  return isLocal ? ['0.0.0.0', '[::]', 'localhost', name].includes(host) : name === host;
}
