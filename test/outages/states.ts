import type { OutageSite } from './site.ts';

/** A state of the registries behind the edge. */
export interface State {
  /** Part of the names of its images. */
  key: string;
  title: string;
  /** For the page: what has happened. */
  says: string;
  /** The upstreams that the edge calls down in this state. */
  down: readonly string[];
  begin(site: OutageSite): unknown;
  end(site: OutageSite): unknown;
}

export const STATES: readonly State[] = [
  {
    key: 'well',
    title: 'All is well',
    says: 'Both registries answer.',
    down: [],
    begin: () => undefined,
    end: () => undefined,
  },
  {
    key: 'killed',
    title: 'The primary is dead',
    says: 'The process of the primary was killed, so its machine refuses connections.',
    down: ['harbor'],
    begin: ({ harbor }) => harbor.kill(),
    end: ({ harbor }) => harbor.start(),
  },
  {
    key: 'frozen',
    title: 'The primary is frozen',
    says: 'The primary accepts connections and says nothing (SIGSTOP).',
    down: ['harbor'],
    begin: ({ harbor }) => harbor.freeze(),
    end: ({ harbor }) => harbor.thaw(),
  },
  {
    key: 'hung',
    title: "The primary's storage hangs",
    says: 'Reads of content hang, as with a dead NAS. `/v2/` answers as ever.',
    down: ['harbor'],
    begin: ({ harbor }) => harbor.storage.hang(),
    end: ({ harbor }) => harbor.storage.unhang(),
  },
  {
    key: 'failing',
    title: "The primary's storage fails",
    says: 'Every access to content fails. The primary answers with an error, or breaks off its answer. `/v2/` answers as ever.',
    down: ['harbor'],
    begin: ({ harbor }) => harbor.storage.fail(),
    end: ({ harbor }) => harbor.storage.mend(),
  },
  {
    key: 'gone',
    title: "The primary's storage is not mounted",
    says: 'The primary finds nothing, and would take a push onto the bare mount point.',
    down: ['harbor'],
    begin: ({ harbor }) => harbor.storage.moveAway(),
    end: ({ harbor }) => harbor.storage.moveBack(),
  },
  {
    key: 'both',
    title: 'Both registries are dead',
    says: 'Both processes were killed.',
    down: ['harbor', 'gcr'],
    begin: ({ harbor, gcr }) => Promise.all([harbor.kill(), gcr.kill()]),
    end: ({ harbor, gcr }) => Promise.all([harbor.start(), gcr.start()]),
  },
];
