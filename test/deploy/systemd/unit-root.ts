import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';

export const UNITS = join(import.meta.dirname, '../../../deploy/systemd');
const SYSTEM_UNITS = '/usr/lib/systemd/system';

/** A root folder for `systemd-analyze --root` with this machine's targets, the units, and what the service starts. */
export class UnitRoot {
  readonly folder: string;
  readonly units: string;

  constructor(owner: Owner) {
    this.folder = temporaryFolder(owner);
    this.units = join(this.folder, 'etc/systemd/system');
    const targets = join(this.folder, SYSTEM_UNITS);
    for (const folder of [this.units, targets, join(this.folder, 'opt/breakwater/bin'), join(this.folder, 'bin')])
      mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(SYSTEM_UNITS))
      if (/^(sysinit|basic|sockets|shutdown|network|network-online|nss-lookup|time-sync|-)\.(target|slice)$/.test(name))
        cpSync(join(SYSTEM_UNITS, name), join(targets, name));
    for (const program of ['opt/breakwater/bin/breakwater', 'bin/kill'])
      writeFileSync(join(this.folder, program), '#!/bin/sh\n', { mode: 0o755 });
    for (const name of ['breakwater.service', 'breakwater.socket', 'breakwater-http.socket'])
      cpSync(join(UNITS, name), join(this.units, name));
  }

  /** Adds a file that changes the service. */
  addDropIn(name: string): void {
    cpSync(join(UNITS, 'breakwater.service.d', name), join(this.units, 'breakwater.service.d', name));
  }
}
