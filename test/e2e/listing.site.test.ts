import t from 'tap';
import { command } from '../helpers/command.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { missing, tool } from '../helpers/tool.ts';

t.test('tags and catalog in the names of the client', { skip: missing(...SITE_TOOLS, 'curl') }, async (t) => {
  const site = await startSite(t);
  const image = await site.seed('app:v1');
  await site.seed('tool:v1');
  const direct = new Skopeo(t);
  for (const tag of ['v2', 'v3']) {
    await direct.push(image.folder, `${site.harbor.address}/library/app:${tag}`);
    await direct.push(image.folder, `${site.gcr.address}/example-project/app:${tag}`);
  }
  // Not under any route: it must not show.
  await direct.push(image.folder, `${site.harbor.address}/private/secret:v1`);
  const ca = `${site.edge.certificate.authorityFolder}/ca.crt`;
  const curl = async (path: string) =>
    (await command(tool('curl'), ['-sS', '--cacert', ca, site.edge.url + path])).stdout;

  for (const upstream of ['harbor', 'gcr']) {
    const tags = JSON.parse(await curl('/v2/library/app/tags/list'));
    t.strictSame(
      { ...tags, tags: tags.tags.sort() },
      { name: 'library/app', tags: ['v1', 'v2', 'v3'] },
      `tags from ${upstream}`,
    );
    const catalog: { repositories: string[] } = JSON.parse(await curl('/v2/_catalog'));
    t.ok(
      catalog.repositories.includes('library/app') && catalog.repositories.includes('library/tool'),
      `catalog from ${upstream}`,
    );
    t.notOk(
      catalog.repositories.some((name) => !name.startsWith('library/')),
      'with nothing that no route leads to',
    );
    if (upstream === 'harbor') await site.harbor.kill();
  }
});

t.test('pages follow one another to the end', { skip: missing(...SITE_TOOLS) }, async (t) => {
  const site = await startSite(t);
  await site.seed('a:v1');
  await site.seed('b:v1');
  await site.seed('c:v1');
  const client = site.client();
  const seen: string[] = [];
  let path: string | undefined = '/v2/_catalog?n=2';
  for (let page = 0; path && page < 10; page += 1) {
    const reply = await client.ask(path);
    t.equal(reply.status, 200, path);
    const { repositories }: { repositories: string[] } = JSON.parse(reply.body.toString());
    t.ok(repositories.length <= 2, 'no page is longer than asked');
    seen.push(...repositories);
    const link: string = String(reply.headers.link ?? '');
    t.notMatch(link, /example-project/, 'no name of an upstream in the Link');
    path = /<([^>]+)>; rel="next"/.exec(link)?.[1];
  }
  t.equal(path, undefined, 'there is a last page');
  t.strictSame(seen, ['library/a', 'library/b', 'library/c', 'library/canary'], 'all, once, in order');
});
