import { entriesAt, itemsAt, type Located, textAt, textOf } from '../document.ts';
import type { ParsedFile } from '../rule.ts';

/** Objects of a manifest; those of a List one by one. */
function objectsOf(file: ParsedFile): Located[] {
  return file.documents.flatMap((document) =>
    /List$/.test(textAt(document, 'kind') ?? '') ? itemsAt(document, 'items') : [document],
  );
}

export interface Secret {
  node: Located;
  name: string;
  type: string;
}

export function secretsOf(file: ParsedFile): Secret[] {
  return objectsOf(file)
    .filter((node) => textAt(node, 'kind') === 'Secret')
    .map((node) => ({ node, name: textAt(node, 'metadata', 'name') ?? '', type: textAt(node, 'type') ?? 'Opaque' }));
}

export function isBase64(text: string): boolean {
  const plain = text.replace(/\s/g, '');
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain);
}

/** The docker configuration in a secret, from base64 or as it is. */
export function secretJson(secret: Located): { text: string; line: number } | undefined {
  for (const [part, isEncoded] of [
    ['stringData', false],
    ['data', true],
  ] as const) {
    const found = entriesAt(secret, part).find(([key]) => key === '.dockerconfigjson')?.[1];
    const text = textOf(found?.value);
    if (found && text !== undefined)
      return { line: found.line, text: isEncoded ? Buffer.from(text, 'base64').toString('utf8') : text };
  }
  return undefined;
}

/** Images of all containers, wherever the Pod stands in the object. */
export function imagesOf(file: ParsedFile): { text: string; line: number }[] {
  const found: { text: string; line: number }[] = [];
  const waiting: Located[] = objectsOf(file).filter((node) => textAt(node, 'kind') !== 'Secret');
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    for (const list of ['containers', 'initContainers', 'ephemeralContainers'])
      for (const container of itemsAt(node, list)) {
        const image = entriesAt(container).find(([key]) => key === 'image')?.[1];
        const text = textOf(image?.value);
        if (image && text !== undefined) found.push({ text, line: image.line });
      }
    if (node.kind === 'map') for (const { value } of node.entries.values()) waiting.push(value);
    if (node.kind === 'list') waiting.push(...node.items);
  }
  return found.sort((a, b) => a.line - b.line);
}
