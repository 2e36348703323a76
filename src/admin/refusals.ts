import type { Refusal } from './refusal-page.ts';

// Every reason for which the admin listener refuses a request, with what to do about it.

const MAKE_TOKEN = 'adminTokenFile: admin.token (made with: head -c 24 /dev/urandom | base64 > admin.token)';

const denied = (title: string, message: string): Refusal => ({ status: 403, code: 'DENIED', title, message });

export const MALFORMED: Refusal = {
  status: 400,
  code: 'UNSUPPORTED',
  title: 'Malformed request',
  message: 'The request target is not a path.',
};

/** @param header the Host header; shown only if it looks like one */
export function unknownHost(header: string | undefined): Refusal {
  const host = /^[\w.:[\]-]{1,255}$/.exec(header ?? '')?.[0];
  const name = host?.replace(/:\d+$/, '');
  return {
    status: 421,
    code: 'DENIED',
    title: 'Unknown host',
    message:
      host === undefined
        ? 'The request does not name a host that this admin listener knows. Add the names by which you reach it to listen.adminHosts.'
        : `This admin listener does not know the host ${host}. If it is yours, add it to the configuration: listen: { adminHosts: ["${name}"] }`,
  };
}

/** @param address `listen.admin` */
export function noToken(address: string): Refusal {
  return denied(
    'No token is configured',
    `Other machines can reach this admin listener (${address}), and it has no token. It answers only /healthz, /readyz and /vipz. Add to the configuration: ${MAKE_TOKEN}`,
  );
}

export const CHANGE_WITHOUT_TOKEN = denied(
  'No token is configured',
  `Requests that change something need a token, and none is configured. Add to the configuration: ${MAKE_TOKEN}`,
);

export const LOGIN_NEEDED: Refusal = {
  status: 401,
  code: 'UNAUTHORIZED',
  title: 'Log in',
  message:
    'This admin listener asks for its token. The token is in the file that adminTokenFile names. Programs send it as "Authorization: Bearer TOKEN".',
  login: true,
  headers: { 'www-authenticate': 'Bearer realm="breakwater admin"' },
};

export const WRONG_TOKEN: Refusal = {
  ...LOGIN_NEEDED,
  title: 'Wrong token',
  message: 'This is not the token of the admin listener. The token is in the file that adminTokenFile names.',
  headers: { 'www-authenticate': 'Bearer realm="breakwater admin", error="invalid_token"' },
};

export function tooManyWrong(waitMs: number): Refusal {
  const seconds = Math.ceil(waitMs / 1000);
  return {
    status: 429,
    code: 'TOOMANYREQUESTS',
    title: 'Too many wrong tokens',
    message: `Too many wrong tokens came from this address. Try again in ${seconds} s.`,
    login: true,
    headers: { 'retry-after': String(seconds) },
  };
}

export const METRICS_ONLY = denied(
  'Only for metrics',
  'This is the token in metricsTokenFile. It opens /metrics and nothing else.',
);

export const OTHER_ORIGIN = denied(
  'Refused',
  'The request does not come from a page of this admin listener. Open the status page and try again.',
);
