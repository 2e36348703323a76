import type { z } from 'zod';
import { OciError } from '../../oci/error.ts';

/** The JSON that a hook brought. @throws OciError */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('it is no JSON');
  }
}

/** @param valuePath of the value in the payload. @throws OciError that says what does not fit, and shows nothing of what was sent */
export function validate<T>(value: unknown, schema: z.ZodType<T>, valuePath: string): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  // The path names keys of the schema and indexes; unknown keys are no issue.
  const path = [valuePath, ...(error.issues[0]?.path ?? [])].filter((part) => part !== '').join('.');
  throw malformed(`${path === '' ? 'it' : path} is not as expected`);
}

function malformed(reason: string): OciError {
  return new OciError('UNSUPPORTED', `the payload cannot be used: ${reason}`, { status: 400 });
}
