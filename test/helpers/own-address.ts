/** Where servers of tests listen. Sites of several machines set `TEST_ADDRESS`, because their edges are elsewhere on the network. */
export const OWN_ADDRESS = process.env.TEST_ADDRESS || '127.0.0.1';
