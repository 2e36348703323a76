import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// `node bin/image-config.ts FOLDER`: takes out of an image that podman wrote with `dir:FOLDER` what depends on the build: names of the
// container in which it was built, and podman's version. A label says how large it is. Prints the digest of the image's manifest.

interface Config {
  container?: unknown;
  container_config?: unknown;
  config: { Hostname?: string; Labels?: Record<string, string> };
}

interface Manifest {
  config: { digest: string; size: number };
  layers: { size: number }[];
}

/** Megabytes that a node transfers for this image, if it has none of its layers. */
const SIZE_LABEL = 'breakwater.compressed-megabytes';

/** The configuration of an image without what differs from build to build, and with its size. */
export function normalConfig(text: string, manifest: string): string {
  const { container: _, container_config: __, ...rest } = JSON.parse(text) as Config;
  const { Labels = {}, ...config } = rest.config;
  delete config.Hostname;
  const labels = Object.entries(Labels).filter(([name]) => name !== 'io.buildah.version');
  const bytes = (JSON.parse(manifest) as Manifest).layers.reduce((sum, { size }) => sum + size, 0);
  labels.push([SIZE_LABEL, String(Math.round(bytes / 1e6))]);
  return JSON.stringify({ ...rest, config: { ...config, Labels: Object.fromEntries(labels.sort()) } });
}

/** The manifest with another configuration. */
export function withConfig(text: string, config: string): string {
  const manifest = JSON.parse(text) as Manifest;
  return JSON.stringify({
    ...manifest,
    config: { ...manifest.config, digest: digestOf(config), size: Buffer.byteLength(config) },
  });
}

export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('usage: node bin/image-config.ts FOLDER');
    process.exit(2);
  }
  const file = (name: string) => join(folder, name);
  const text = readFileSync(file('manifest.json'), 'utf8');
  const [, old = ''] = (JSON.parse(text) as Manifest).config.digest.split(':');
  const config = normalConfig(readFileSync(file(old), 'utf8'), text);
  const manifest = withConfig(text, config);
  rmSync(file(old));
  writeFileSync(file(digestOf(config).replace('sha256:', '')), config);
  writeFileSync(file('manifest.json'), manifest);
  console.log(digestOf(manifest));
}
