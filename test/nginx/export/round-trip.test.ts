import t from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { nginxText } from '../../../src/nginx/export/nginx-text.ts';
import { importSite } from '../../../src/nginx/import/import-site.ts';
import { reportLines } from '../../../src/nginx/import/report.ts';
import { parseNginx } from '../../../src/nginx/syntax/parse.ts';

const OPTIONS = {
  fileOf: (name: string) => `/etc/breakwater/${name}`,
  withCredentials: false,
  openFallback: false,
  credentialsFile: (upstream: string) => `/etc/nginx/${upstream}.authorization.conf`,
};

const upstreams = {
  harbor: { urls: ['https://harbor.lan'], credentials: 'forward' },
  gcr: { urls: ['https://asia.gcr.io'] },
  plain: { urls: ['http://a.lan:5000/base', 'http://b.lan:5000/base'] },
};

const sites: Record<string, object[]> = {
  'one route': [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  'a fallback with another prefix': [
    { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'project/' }] },
  ],
  'several routes': [
    { prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] },
    { prefix: 'team/', push: 'plain', pull: [{ upstream: 'plain', prefix: 'teams/team/' }, { upstream: 'gcr' }] },
    { prefix: 'public/', pull: [{ upstream: 'gcr', prefix: 'project/public/' }] },
  ],
  'a further name': [
    { prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] },
    { prefix: '', registry: 'docker.io', pull: [{ upstream: 'plain', prefix: 'hub/' }] },
  ],
};

t.test('what was exported is imported as the same routes', async (t) => {
  for (const [what, routes] of Object.entries(sites)) {
    const config = configSchema.parse({
      hostname: 'cr.example.io',
      tls: { certFile: 'a', keyFile: 'b' },
      upstreams,
      routes,
    });
    const roots = parseNginx('nginx.conf', nginxText(config, 'breakwater.yaml', OPTIONS));
    const imported = importSite(roots, { fileOf: (name) => name });
    const named = JSON.parse(JSON.stringify(imported.config?.routes ?? []).replaceAll('breakwater-', ''));
    t.strictSame(named, routes, what);
    const important = reportLines(roots, imported).filter(({ isImportant }) => isImportant);
    t.strictSame(important, [], what);
  }
});
