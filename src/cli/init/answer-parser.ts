import type { z } from 'zod';
import { UsageError } from '../config-path.ts';

/** One of these words, in any case. @throws UsageError */
export function choice<const Word extends string>(words: readonly Word[], flag: string, text: string): Word {
  const found = words.find((word) => word === text.toLowerCase());
  if (found === undefined) throw new UsageError(`${flag}: expected ${words.join(', ')}; found ${text}`);
  return found;
}

/** What a type of the configuration makes of a text. @throws UsageError */
export function parsed<T>(schema: z.ZodType<T>, flag: string, text: string | undefined): T {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  throw new UsageError(`${flag}: expected ${result.error.issues[0]?.message}; found ${text}`);
}
