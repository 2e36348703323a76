import type { Finished } from './command.ts';

export interface ClientUser {
  name: string;
  password: string;
}

/** A real client of registries. Images are named `127.0.0.1:PORT/repository:tag`. */
export interface ContainerClient {
  readonly name: string;
  /** Goes on as this user of a registry, `127.0.0.1:PORT`; undefined: as nobody. */
  as(host: string, user: ClientUser | undefined): void;
  /** Pushes the image of an OCI layout. */
  push(layout: string, image: string): Promise<unknown>;
  /** The same, when it may be refused. */
  tryPush(layout: string, image: string): Promise<Finished>;
  /** Pulls all of it anew and resolves with the manifest's digest. */
  pull(image: string): Promise<string>;
  /** The same, when it may be refused. */
  tryPull(image: string): Promise<Finished>;
}
