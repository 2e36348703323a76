import { z } from 'zod';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const EXPECTED = 'a duration such as 500ms, 2s, 1m or 24h';
/** Node's timers fire at once where they are asked to wait for longer than 2^31 - 1 ms. */
const MAX_DAYS = 24;

/**
 * A length of time as people write it: `500ms`, `2s`, `1m`, `24h`. Parsed to milliseconds.
 * @param preset where it is left out
 * @param min milliseconds
 */
export function duration(preset: string, min = 1) {
  return z
    .string({ error: EXPECTED })
    .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, EXPECTED)
    .meta({ title: 'duration' })
    .default(preset)
    .transform((text, ctx) => {
      const [, digits = '0', , unit = 'ms'] = /^(\d+(\.\d+)?)(\D+)$/.exec(text) ?? [];
      const ms = Math.round(Number(digits) * (UNITS[unit] ?? 1));
      if (ms < min) ctx.addIssue({ code: 'custom', message: `at least ${min}ms` });
      if (ms > MAX_DAYS * 86_400_000) ctx.addIssue({ code: 'custom', message: `at most ${MAX_DAYS}d` });
      return ms;
    });
}
