import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import t from 'tap';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';

t.test(
  'a real client logs in, pulls and pushes over plain HTTP, also while the primary is frozen',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    const users = join(temporaryFolder(t), 'users');
    writeFileSync(users, `ann:${await bcrypt.hash('secret', 5)}\n`);
    const site = await startSite(t, {
      listen: { https: '127.0.0.1:0', plain: '127.0.0.1:0', admin: '127.0.0.1:0' },
      auth: { mode: 'htpasswd', htpasswdFile: users, access: { ann: ['** pull,push'] } },
    });
    const [line] = /\{.*"msg":"listening".*\}/.exec(site.edge.log()) ?? [];
    const { plain }: { plain: string } = JSON.parse(line ?? '{}');
    const image = await site.seed('app:1');
    const skopeo = new Skopeo(t);
    t.match(await skopeo.tryPull(`${plain}/library/app:1`), { status: 1 }, 'without a login');
    skopeo.as(plain, { name: 'ann', password: 'secret' });
    t.equal(await skopeo.pull(`${plain}/library/app:1`), image.digest);
    const other = `localhost:${plain.split(':')[1]}/library/pushed:1`;
    await skopeo.push(image.folder, other);
    t.equal(await skopeo.pull(other), image.digest, 'what was pushed is there');
    site.harbor.freeze();
    t.teardown(() => site.harbor.thaw());
    t.equal(await skopeo.pull(`${plain}/library/app:1`), image.digest, 'from the fallback');
  },
);
