import type { Answer, Call, Client } from './client.ts';
import type { HeaderList } from './header-list.ts';
import { ReadableSource } from './readable-source.ts';
import { StreamedBody } from './streamed-body.ts';

/** An answer whose body is streamed. */
export interface StreamAnswer {
  status: number;
  headers: HeaderList;
  body: StreamedBody;
}

/** The requests of blobs: bodies are long, and handed on as they come. */
export class Streams {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** @throws UpstreamError when there is no answer; the signal's reason when it was aborted before its head came */
  async send(call: Call): Promise<StreamAnswer> {
    return streamed(await this.#client.send(call));
  }

  /** The same to another host. @param url absolute; `call.path` is ignored */
  async sendElsewhere(url: URL, call: Call): Promise<StreamAnswer> {
    return streamed(await this.#client.sendElsewhere(url, call));
  }
}

function streamed({ status, headers, body }: Answer): StreamAnswer {
  return { status, headers, body: new StreamedBody(new ReadableSource(body)) };
}
