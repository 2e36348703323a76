import type { PairEvent } from '../event.ts';
import type { AddedConfig } from '../pair.ts';
import { filesEvents } from './files.ts';
import { outageEvents } from './outage.ts';
import { PLANNED_CONFIG, plannedEvents } from './planned.ts';
import { restartEvents } from './restart.ts';
import { SEES_CONFIG, seesEvents } from './sees.ts';
import { splitEvents } from './split.ts';
import { suddenEvents } from './sudden.ts';

/** Every event, in the order of the table. */
export const EVENTS: readonly PairEvent[] = [
  ...suddenEvents,
  ...plannedEvents,
  ...seesEvents,
  ...outageEvents,
  ...splitEvents,
  ...restartEvents,
  ...filesEvents,
];

/** What the configuration of a group's edges has beside the usual. */
export const CONFIGS: Readonly<Record<string, AddedConfig>> = {
  planned: PLANNED_CONFIG,
  sees: SEES_CONFIG,
};
