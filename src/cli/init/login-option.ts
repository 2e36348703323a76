import { ownCredentials } from '../../config/credentials-schema.ts';
import { UsageError } from '../config-path.ts';
import { choice, parsed } from './answer-parser.ts';
import type { RegistryLogin } from './site-plan.ts';

/** Options about how the edge logs in at the fallback. */
export interface LoginOptions {
  helper?: string | undefined;
  metadata?: string | undefined;
  user?: string | undefined;
  passwordFile?: string | undefined;
}

/**
 * A login without a password file: by a credential helper, or by the metadata server of Google Cloud.
 * @returns undefined: neither is wanted @throws UsageError for a wrong value, or for two ways at once
 */
export function helperLogin(options: LoginOptions): RegistryLogin | undefined {
  const { helper, metadata, user, passwordFile } = options;
  const given = { helper, metadata, user, 'password-file': passwordFile };
  const flags = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : `--fallback-${name}`));
  if (helper === undefined && metadata === undefined) return undefined;
  if (flags.length > 1) throw new UsageError(`${flags.join(' and ')} are different ways to log in; keep one`);
  if (helper === undefined) return { metadata: choice(['gcp'], '--fallback-metadata', metadata ?? '') };
  const [, , { shape }] = ownCredentials;
  return { helper: parsed(shape.helper, '--fallback-helper', helper) };
}
