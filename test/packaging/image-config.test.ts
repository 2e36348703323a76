import t from 'tap';
import { digestOf, normalConfig, withConfig } from '../../bin/image-config.ts';

const manifest = JSON.stringify({
  schemaVersion: 2,
  config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: 3, digest: 'sha256:old' },
  layers: [{ size: 63_232_726 }, { size: 2_737_486 }],
});

/** As podman writes it. */
const configOf = (container: string) =>
  JSON.stringify({
    created: '2026-12-01T00:00:00Z',
    container,
    container_config: { Hostname: container, Cmd: ['serve'] },
    config: { Hostname: container, Cmd: ['serve'], Labels: { 'io.buildah.version': '1.28.2', b: '2', a: '1' } },
    rootfs: { type: 'layers', diff_ids: ['sha256:x'] },
  });

t.test('two builds have one configuration', async (t) => {
  const config = normalConfig(configOf('0123'), manifest);
  t.equal(config, normalConfig(configOf('4567'), manifest));
  t.strictSame(JSON.parse(config), {
    created: '2026-12-01T00:00:00Z',
    config: { Cmd: ['serve'], Labels: { a: '1', b: '2', 'breakwater.compressed-megabytes': '66' } },
    rootfs: { type: 'layers', diff_ids: ['sha256:x'] },
  });
});

t.test('the manifest names it', async (t) => {
  const config = normalConfig(configOf('0123'), manifest);
  t.match(JSON.parse(withConfig(manifest, config)), {
    config: { mediaType: /image\.v1/, size: Buffer.byteLength(config), digest: digestOf(config) },
    layers: [{ size: 63_232_726 }, { size: 2_737_486 }],
  });
});
