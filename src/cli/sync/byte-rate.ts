const POWERS = ['', 'k', 'M', 'G', 'T'];

/** Bytes a second as people write them: `500000`, `20MB`, `1.5 GiB/s`; undefined: it is none. */
export function readByteRate(text: string): number | undefined {
  const [, amount = '', letter = '', binary] =
    /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?(?:\/s)?$/i.exec(text.trim()) ?? [];
  if (amount === '' || (letter === '' && binary)) return undefined;
  const power = POWERS.findIndex((one) => one.toLowerCase() === letter.toLowerCase());
  const bytes = Math.round(Number(amount) * (binary ? 1024 : 1000) ** power);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
