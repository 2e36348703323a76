import { existsSync } from 'node:fs';

const DEFAULT_PATH = 'breakwater.yaml';

/** Whether a configuration is named, or the working directory has one. */
export function hasConfig(given: string | undefined): boolean {
  return given !== undefined || process.env.BREAKWATER_CONFIG !== undefined || existsSync(DEFAULT_PATH);
}

/** Path from `--config`, else BREAKWATER_CONFIG, else ./breakwater.yaml. @throws UsageError if there is no such file */
export function configPath(given: string | undefined): string {
  const path = given ?? process.env.BREAKWATER_CONFIG ?? DEFAULT_PATH;
  if (existsSync(path)) return path;
  const hint =
    given === undefined
      ? 'Name one with --config or BREAKWATER_CONFIG, or try `breakwater lab`, which needs none.'
      : 'Check the path.';
  throw new UsageError(`there is no configuration at ${path}. ${hint}`);
}

/** A mistake in the arguments or files of a command; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
