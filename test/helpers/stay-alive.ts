import type { Test } from 'tap';

/**
 * Keeps the process alive during each test of a folder, because timers of abort signals do not. An interval that ends with the file would
 * end too early: tap may take a slow import of the next file for the end of all tests.
 */
export function stayAlive(t: Test): void {
  t.beforeEach((t) => {
    const alive = setInterval(() => undefined, 1000);
    t.teardown(() => clearInterval(alive));
  });
}
