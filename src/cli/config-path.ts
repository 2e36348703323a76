import { existsSync } from 'node:fs';

/** The configuration that a command works on: `--config`, else BREAKWATER_CONFIG, else ./breakwater.yaml. */
export function configPath(given: string | undefined): string {
  const path = given ?? process.env.BREAKWATER_CONFIG ?? 'breakwater.yaml';
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
