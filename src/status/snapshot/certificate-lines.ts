import type { AcmeView } from '../../acme/acme-view.ts';

/** The certificate that the edge orders itself, as the JSON of the status has it. */
export interface CertificateSnapshot
  extends Pick<AcmeView, 'state' | 'names' | 'waits' | 'orders' | 'failures' | 'lastError'> {
  until: string | null;
  nextAt: string | null;
  lacks: Exclude<AcmeView['lacks'], undefined> | null;
}

const NOW = 'or now by: breakwater cert order';
const DAY = 86_400_000;
/** With fewer days than this, an order that fails is worth a person's attention. */
const FEW_DAYS = 14;

export function certificateSnapshot(view: AcmeView): CertificateSnapshot {
  const { until, nextAt, lacks = null, ...shown } = view;
  const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
  return { ...shown, lacks, until: iso(until), nextAt: iso(nextAt) };
}

const LACKS = {
  directory:
    'The certificate is not of the ACME server of tls.acme.directory, so clients may refuse it. It is to be replaced.',
  names: 'The certificate has not all names of the configuration, so clients may refuse it. It is to be replaced.',
};

/** What an operator has to know of it; nothing while all is well. @param now epoch milliseconds */
export function certificateNews(
  certificate: CertificateSnapshot | null | undefined,
  now: number,
): { lines: string[]; degraded: boolean } {
  if (!certificate || certificate.state === 'valid') return { lines: [], degraded: false };
  const { state, until, lacks, lastError } = certificate;
  const left = until === null ? 0 : Math.floor((Date.parse(until) - now) / DAY);
  const why = lastError === undefined ? '' : ` The last order failed: ${lastError}.`;
  const has =
    state === 'none' || until === null
      ? 'There is no certificate yet, so clients refuse this edge.'
      : left < 0
        ? `The certificate expired on ${until.slice(0, 10)}, so clients refuse this edge.`
        : lacks !== null
          ? LACKS[lacks]
          : `The certificate ends in ${left} days and is to be renewed.`;
  if (left >= FEW_DAYS && lacks === null && lastError === undefined) return { lines: [], degraded: false };
  return { lines: [`${has}${why}${nextText(certificate)}`], degraded: true };
}

function nextText({ state, waits, nextAt }: CertificateSnapshot): string {
  if (state === 'ordering') return ' It is being ordered.';
  if (waits === 'follower') return ' Another edge of the site has to order it (tls.acme.dir).';
  if (waits === 'other-edge') return ' Another edge orders it.';
  if (nextAt === null) return '';
  const at = `${nextAt.slice(0, 16).replace('T', ' ')} UTC`;
  if (waits === 'weekly') return ` Two orders of this week are used; the next one is at ${at}, ${NOW}`;
  return waits === 'backoff' ? ` The next order is at ${at}, ${NOW}` : '';
}

/** A line for a terminal. */
export function certificateLine({ state, names, until, orders, nextAt, waits }: CertificateSnapshot): string {
  const end = until === null ? '' : ` until ${until.slice(0, 10)}`;
  const next = waits === 'valid' && nextAt !== null ? `, to be renewed from ${nextAt.slice(0, 10)}` : '';
  return `certificate for ${names.join(', ')}: ${state}${end}${next}; orders in the last week: ${orders}`;
}
