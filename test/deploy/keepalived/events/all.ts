import type { PairEvent } from '../event.ts';
import { filesEvents } from './files.ts';
import { PLANNED_CONFIG, plannedEvents } from './planned.ts';
import { splitEvents } from './split.ts';
import { suddenEvents } from './sudden.ts';

/** Every event, in the order of the table. */
export const EVENTS: readonly PairEvent[] = [...suddenEvents, ...plannedEvents, ...splitEvents, ...filesEvents];

/** What the configuration of a group's edges has beside the usual. */
export const CONFIGS: Readonly<Record<string, Record<string, unknown>>> = { planned: PLANNED_CONFIG };
