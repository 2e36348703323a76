import { existsSync } from 'node:fs';

const BESIDE = 'breakwater.yaml';

/** Whether any configuration is named or lies in the working directory. */
export function hasConfig(given: string | undefined): boolean {
  return given !== undefined || process.env.BREAKWATER_CONFIG !== undefined || existsSync(BESIDE);
}

/** The configuration that a command works on: `--config`, else BREAKWATER_CONFIG, else ./breakwater.yaml. */
export function configPath(given: string | undefined): string {
  const path = given ?? process.env.BREAKWATER_CONFIG ?? BESIDE;
  if (existsSync(path)) return path;
  const hint =
    given === undefined
      ? 'Name one with --config or BREAKWATER_CONFIG, or try `breakwater lab`, which needs none.'
      : 'Is the name right?';
  throw new UsageError(`there is no configuration at ${path}. ${hint}`);
}

/** Something that the caller of a command has to change; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
