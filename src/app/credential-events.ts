import type { Logger } from 'pino';
import { isoTime, monotonicNow, readClocks } from '../clock/clock.ts';
import type { UpstreamEvents } from '../upstream/events.ts';

/** Milliseconds between two lines about one account. Every request may cause such an event. */
const REFUSAL_EVERY_MS = 1000;
const END_EVERY_MS = 86_400_000;
/** Credentials that end later are not reported. */
const ENDS_SOON_MS = 14 * 86_400_000;

/** Logs which credentials of the edge's own are refused, and which will end soon. */
export function credentialEvents(log: Logger): Pick<UpstreamEvents, 'credentials' | 'credentialsEnd'> {
  const logged = new Map<string, number>();
  const isDue = (key: string, every: number) => {
    const now = monotonicNow();
    const due = now - (logged.get(key) ?? Number.NEGATIVE_INFINITY) >= every;
    if (due) logged.set(key, now);
    return due;
  };
  return {
    credentials: (upstream, detail, { role, username }) => {
      const about = { upstream, account: role, ...(username === undefined ? {} : { username }) };
      if (detail === undefined) log.info(about, "the upstream accepts the edge's credentials again");
      else if (isDue(`${upstream} ${role} ${username} refused`, REFUSAL_EVERY_MS))
        log.error({ ...about, detail }, "the upstream refuses the edge's credentials; renew them");
    },
    credentialsEnd: (upstream, at, { role, username }) => {
      const now = readClocks();
      if (at - now.wall > ENDS_SOON_MS || !isDue(`${upstream} ${role} ends`, END_EVERY_MS)) return;
      const end = isoTime(at - now.wall + now.monotonic, now);
      log.warn(
        { upstream, account: role, username, end },
        "the edge's credentials at the upstream end soon; renew them",
      );
    },
  };
}

/** Logs when a program or a service that gives the edge's own credentials begins to fail, and when it gives some again. */
export function credentialSourceEvents(
  log: Logger,
): (source: string, problem: string | undefined, hasLogin: boolean) => void {
  return (source, problem, hasLogin) => {
    if (problem === undefined) log.info({ source }, 'credentials of an upstream were renewed');
    else if (hasLogin)
      log.error({ source, problem }, 'credentials of an upstream cannot be renewed; the last ones stay in use');
    else
      log.error({ source, problem }, 'there are no credentials for an upstream, whose requests fail until there are');
  };
}
