/** What the clients of a site have to be told. */
export interface ClientSite {
  /** The edge as clients name it: `cr.example.io` or `cr.example.io:8443`. */
  host: string;
  /** Certificate authority of the edge in PEM form. Undefined: clients know it already. */
  ca: string | undefined;
  /** Other registries whose images are pulled through the edge. */
  mirrors: readonly Mirror[];
  /** Registry for the day on which no edge answers. Undefined: clients only ask the edge. */
  fallback: Fallback | undefined;
  /** Credentials for the kinds that write them into a file. */
  user: ClientUser | undefined;
}

export interface Mirror {
  /** As it stands in the names of images: `docker.io`. */
  registry: string;
  /** What the edge has before the names of these images: `dockerhub-proxy/`, or nothing. */
  prefix: string;
}

export interface Fallback {
  host: string;
  ca: string | undefined;
  /** Where it keeps the images of the edge, the longest prefix first. */
  places: readonly Place[];
}

/** `cr.example.io/library/app` is `asia.gcr.io/example-project/app`: prefix `library/`, at `example-project/`. */
export interface Place {
  prefix: string;
  at: string;
}

export interface ClientUser {
  name: string;
  password: string;
}

/**
 * The path that, put before every name, leads to the fallback's copy. Undefined: there is no such path, since some names begin with
 * another prefix on the fallback.
 */
export function commonPath({ places }: Fallback): string | undefined {
  const paths = new Set(
    places.map(({ prefix, at }) => (at.endsWith(prefix) ? at.slice(0, at.length - prefix.length) : undefined)),
  );
  const [only] = paths;
  return paths.size === 1 ? only : undefined;
}
