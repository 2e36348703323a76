import fc from 'fast-check';
import { OciError } from '../../../src/oci/error.ts';
import { isReference, isRepository } from '../../../src/oci/reference.ts';
import type { Hint } from '../../../src/replication/hint.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';

/** Mostly what is right, sometimes what is wrong, or any text. */
export function nearly(wrong: string, ...right: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.constant(wrong) },
    { weight: 1, arbitrary: fc.string() },
  );
}

/** Bodies: payloads that are nearly right, any JSON, any text. */
export function anyHook(nearly: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: nearly.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string() },
  );
}

/** Reads many, and throws where one breaks the reader or brings what is no name. Returns how many did what. */
export function hintsAreNames(read: (text: string) => Hint[], bodies: fc.Arbitrary<string>) {
  const seen = { hints: 0, refused: 0 };
  fc.assert(
    fc.property(bodies, (text) => {
      try {
        const hints = read(text);
        seen.hints += hints.length;
        return hints.every(({ repository, reference }) => isRepository(repository) && isReference(reference));
      } catch (error) {
        if (!(error instanceof OciError) || error.status !== 400) throw error;
        seen.refused += 1;
        return error.message.length < 200;
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
  return seen;
}
