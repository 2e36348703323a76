import { X509Certificate } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { AcmeFolder, type KnownPair } from '../../acme/acme-folder.ts';
import type { Requirement } from '../../acme/acme-state.ts';
import { askDirectory } from '../../acme/directory.ts';
import { orderAllowed, renewalTime } from '../../acme/schedule.ts';
import { acmeOf } from '../../config/acme-names.ts';
import type { AcmeConfig } from '../../config/acme-schema.ts';
import type { Loaded } from '../../config/load.ts';
import type { CheckFinding } from './reachability.ts';

const SUBJECT = 'tls.acme';

/** What stands in the folder, and whether an order would succeed as far as that can be seen. Nothing is written or ordered. */
export async function acmeFindings(
  { path, config, material }: Loaded,
  { now, offline }: { now: number; offline: boolean },
): Promise<CheckFinding[]> {
  const found = acmeOf(config);
  if (!found) return [];
  const { acme, names } = found;
  const folder = acme.dir === undefined ? undefined : resolve(dirname(path), acme.dir);
  const kept =
    folder === undefined ? [] : await folderFindings(new AcmeFolder(folder), { names, directory: acme.directory }, now);
  const command = await commandFindings(acme);
  return [...kept, ...command, ...(offline ? [] : [await directoryFinding(acme.directory, material.acmeCa)])];
}

async function folderFindings(folder: AcmeFolder, requirement: Requirement, now: number): Promise<CheckFinding[]> {
  try {
    const pair = await folder.certificate();
    const orders = (await folder.orders()).map(({ at }) => at);
    const next = orderAllowed(orders, now);
    const state = pair ? spanFinding(pair, requirement, now) : NONE;
    if (next <= now) return [state];
    const message = `two orders of the last seven days are used, so none is placed before ${new Date(next).toISOString()}`;
    const remedy = 'breakwater status says why the orders failed; once that is mended: breakwater cert order';
    return [state, { level: 'warning', subject: SUBJECT, message, remedy }];
  } catch (error) {
    const message = `tls.acme.dir cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return [{ level: 'error', subject: SUBJECT, message, remedy: 'give the folder to the user of the service' }];
  }
}

const NONE: CheckFinding = {
  level: 'warning',
  subject: SUBJECT,
  message: 'there is no certificate yet; the edge orders one when it serves, and until then clients refuse it',
  remedy: 'start the edge, and see breakwater status',
};

function spanFinding(pair: KnownPair, { names, directory }: Requirement, now: number): CheckFinding {
  const leaf = new X509Certificate(pair.cert);
  const [from, until] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  const day = leaf.validToDate.toISOString().slice(0, 10);
  const lacking = names.find(
    (name) => !name.startsWith('*') && leaf.checkHost(name, { subject: 'never' }) === undefined,
  );
  const remedy = 'breakwater status says why it was not renewed';
  if (until <= now) return { level: 'error', subject: SUBJECT, message: `the certificate expired on ${day}`, remedy };
  if (pair.directory !== directory)
    return {
      level: 'warning',
      subject: SUBJECT,
      message: `the certificate is of ${pair.directory ?? 'an unknown ACME server'}, and the configuration names ${directory}; the edge orders another one`,
      remedy: 'restart the edge, and see breakwater status',
    };
  if (lacking !== undefined)
    return {
      level: 'warning',
      subject: SUBJECT,
      message: `the certificate lacks the name ${lacking}; the edge orders another one`,
      remedy: 'restart the edge, and see breakwater status',
    };
  const due = renewalTime({ from, until, complete: true });
  if (due <= now)
    return {
      level: 'warning',
      subject: SUBJECT,
      message: `the certificate is to be renewed, and ends on ${day}`,
      remedy,
    };
  const renewed = new Date(due).toISOString().slice(0, 10);
  return { level: 'ok', subject: SUBJECT, message: `valid until ${day}, renewed from ${renewed}` };
}

async function commandFindings({ challenge, dns: { command } }: AcmeConfig): Promise<CheckFinding[]> {
  const [program] = command ?? [];
  if (challenge !== 'dns-01' || program === undefined || !isAbsolute(program)) return [];
  try {
    await access(program, constants.X_OK);
    return [];
  } catch {
    const message = `the DNS command ${program} does not exist or may not be run`;
    return [{ level: 'error', subject: SUBJECT, message, remedy: `check dns.command; chmod +x ${program}` }];
  }
}

async function directoryFinding(directory: string, ca: string | undefined): Promise<CheckFinding> {
  const failure = await askDirectory(directory, ca).catch(
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
  if (failure === undefined) return { level: 'ok', subject: SUBJECT, message: `${directory} answers` };
  const message = `${directory} does not answer as an ACME server: ${failure}`;
  const remedy = 'check directory, caFile, and whether this machine may reach it';
  return { level: 'error', subject: SUBJECT, message, remedy };
}
