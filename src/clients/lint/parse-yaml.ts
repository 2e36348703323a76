import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { Located } from './document.ts';
import { MAX_VALUES, ParseFailure, reasonOf } from './parse-failure.ts';

/** The documents of a file, in order. @throws ParseFailure */
export function parseYaml(text: string): Located[] {
  const lines = new LineCounter();
  let documents: Document.Parsed[];
  try {
    // Looking for keys that are there twice takes the library a time that grows with their square; `Reader` does it.
    const parsed = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, lineCounter: lines });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    throw new ParseFailure(reasonOf(error), 1);
  }
  for (const { errors } of documents)
    for (const error of errors) throw new ParseFailure(reasonOf(error), lines.linePos(error.pos[0]).line);
  try {
    return documents.flatMap((document) => (document.contents ? [new Reader(document, lines).read()] : []));
  } catch (error) {
    if (error instanceof ParseFailure) throw error;
    throw new ParseFailure(reasonOf(error), 1);
  }
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  #values = 0;
  /** Nodes by their anchors, as far as the document was read. The library would look through the whole document for each alias. */
  readonly #anchors = new Map<string, Node>();
  /** Anchors that are being read, because an alias may stand inside its own anchor. */
  readonly #open = new Set<Node>();

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  read(): Located {
    return this.#value(this.#document.contents, 1);
  }

  #value(node: unknown, around: number): Located {
    this.#values += 1;
    const line = lineOf(node, this.#lines) ?? around;
    if (this.#values > MAX_VALUES) throw new ParseFailure(`it has more than ${MAX_VALUES} values`, line);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target || this.#open.has(target)) return { kind: 'scalar', line, value: undefined };
      return this.#value(target, line);
    }
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined)
      this.#anchors.set(node.anchor, node);
    if (isScalar(node)) {
      const { value } = node;
      const known = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
      return { kind: 'scalar', line, value: known ? value : undefined };
    }
    if (!isMap(node) && !isSeq(node)) return { kind: 'scalar', line, value: undefined };
    this.#open.add(node);
    const read = this.#collection(node, line);
    this.#open.delete(node);
    return read;
  }

  #collection(node: Node, line: number): Located {
    if (isSeq(node)) return { kind: 'list', line, items: node.items.map((item) => this.#value(item, line)) };
    const entries = new Map<string, { line: number; value: Located }>();
    for (const { key, value } of isMap(node) ? node.items : []) {
      const at = lineOf(key, this.#lines) ?? line;
      const name = isScalar(key) ? String(key.value) : '';
      if (entries.has(name)) throw new ParseFailure('a key is there twice', at);
      entries.set(name, { line: at, value: this.#value(value, at) });
    }
    return { kind: 'map', line, written: 'inline', entries };
  }
}

function lineOf(node: unknown, lines: LineCounter): number | undefined {
  const range = node && typeof node === 'object' && 'range' in node ? node.range : undefined;
  const start = Array.isArray(range) ? Number(range[0]) : undefined;
  return start === undefined ? undefined : lines.linePos(start).line;
}
