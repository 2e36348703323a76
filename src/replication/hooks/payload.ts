import type { z } from 'zod';
import { OciError } from '../../oci/error.ts';

/** Parses the body of a hook. @throws OciError */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('it is no JSON');
  }
}

/**
 * @param valuePath path of the value in the payload
 * @throws OciError that names the faulty key and shows nothing of the payload
 */
export function validate<T>(value: unknown, schema: z.ZodType<T>, valuePath: string): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  // The path consists of keys of the schema and indexes. Unknown keys are accepted.
  const path = [valuePath, ...(error.issues[0]?.path ?? [])].filter((part) => part !== '').join('.');
  throw malformed(`${path === '' ? 'it' : path} is not as expected`);
}

function malformed(reason: string): OciError {
  return new OciError('UNSUPPORTED', `the payload cannot be used: ${reason}`, { status: 400 });
}
