import type { Edge } from '../helpers/edge.ts';
import { HttpsClient } from '../helpers/https-client.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

/** What the edge's log says of one request. */
export interface Seen {
  id: string;
  kind: string;
  method: string;
  status: number;
  client: string;
  upstream?: string;
  /** What went wrong, in words. */
  detail?: string;
}

/** What one client caused at an edge, by the edge's own log. */
export class Traffic {
  readonly #client: HttpsClient;
  readonly #from: string;

  /** @param address by which the client reaches the edge. @param from the client's own address, as the edge sees it */
  constructor(owner: Owner, { address, authority, from }: { address: string; authority: string; from: string }) {
    this.#client = new HttpsClient(`https://${address}`, authority, { keepAlive: false });
    this.#from = from;
    owner.teardown(() => this.#client.close());
  }

  /** Does something, and tells what requests it took. */
  async during<T>(edge: Edge, act: () => Promise<T>): Promise<{ done: T; seen: Seen[] }> {
    const first = await this.#mark(edge);
    const done = await act();
    const last = await this.#mark(edge);
    const seen = this.#lines(edge);
    const [from, to] = [first, last].map((id) => seen.findIndex((one) => one.id === id));
    return { done, seen: seen.slice((from ?? 0) + 1, to) };
  }

  /** A request whose line in the log stands behind those of all that are done. */
  async #mark(edge: Edge): Promise<string> {
    const { headers } = await this.#client.ask('/v2/');
    const id = String(headers['x-request-id']);
    await until(() => edge.log().includes(id), { what: () => `request ${id} in the log` });
    return id;
  }

  #lines(edge: Edge): Seen[] {
    return edge
      .log()
      .split('\n')
      .flatMap((line): Seen[] => {
        if (!line.includes(`"client":"${this.#from}"`)) return [];
        const { request }: { request?: Seen } = JSON.parse(line);
        return request ? [request] : [];
      });
  }
}
