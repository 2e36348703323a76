import { isRepository } from '../../oci/reference.ts';
import { RegistryRequests } from '../registry/registry-requests.ts';
import { pullScope, type RemoteRegistry } from '../registry/remote-registry.ts';

const MAX_BYTES = 67_108_864;
/** A repository name of 255 characters has at most 128 components; real names have a few. */
const MAX_DEPTH = 32;

/** Artifact Registry's tag list also has `child`: the names one level below (`gcrane ls` uses it too). */
interface TagListLevel {
  /** Undefined: this registry does not list children. */
  children: string[] | undefined;
  hasTags: boolean;
}

/** Finds repositories below a prefix, level by level, where there is no catalog. */
export class RepositoryWalk {
  readonly #requests: RegistryRequests;

  constructor({ name, connection, retryPolicy }: RemoteRegistry) {
    this.#requests = new RegistryRequests(name, connection, retryPolicy);
  }

  /**
   * @param prefix for example `example-project/`
   * @param isRelevant whether a name, or a name below it, is of interest
   * @returns undefined: this registry does not list children
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async below(
    prefix: string,
    isRelevant: (name: string) => boolean,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<string> | undefined> {
    const root = prefix.replace(/\/$/, '');
    const level = root === '' ? undefined : await this.#level(root, signal);
    return level?.children && this.#walk(root, level, isRelevant, signal, 0);
  }

  async *#walk(
    name: string,
    level: TagListLevel | undefined,
    isRelevant: (name: string) => boolean,
    signal: AbortSignal,
    depth: number,
  ): AsyncGenerator<string> {
    if (level?.hasTags) yield name;
    if (depth > MAX_DEPTH) return;
    for (const child of level?.children ?? []) {
      const below = `${name}/${child}`;
      if (isRepository(below) && isRelevant(below))
        yield* this.#walk(below, await this.#level(below, signal), isRelevant, signal, depth + 1);
    }
  }

  async #level(name: string, signal: AbortSignal): Promise<TagListLevel | undefined> {
    const scopes = [pullScope(name)];
    const reply = await this.#requests.read(`/v2/${name}/tags/list`, { scopes, maxBytes: MAX_BYTES }, signal);
    if (reply.status === 404) return undefined;
    const level = reply.status === 200 ? parseLevel(reply.body) : undefined;
    if (level) return level;
    const said = reply.status === 200 ? 'its answer is no list' : '';
    throw this.#requests.failure(reply, `does not list what is below ${name}`, said);
  }
}

/** Undefined: this is no tag list. */
function parseLevel(body: Buffer): TagListLevel | undefined {
  const fields = parseObject(body);
  if (!fields) return undefined;
  const { child, tags } = fields;
  return {
    children: Array.isArray(child) ? child.filter((one) => typeof one === 'string') : undefined,
    hasTags: Array.isArray(tags) && tags.length > 0,
  };
}

function parseObject(body: Buffer): { child?: unknown; tags?: unknown } | undefined {
  try {
    const content: unknown = JSON.parse(body.toString('utf8'));
    return typeof content === 'object' && content !== null && !Array.isArray(content) ? content : undefined;
  } catch {
    return undefined;
  }
}
