import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a registry sent, byte for byte; Harbor's are written by its documentation. */
export function hookFixture(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/hooks', `${name}.json`), 'utf8');
}
