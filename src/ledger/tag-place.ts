/** A tag at the upstream whose word counts for it; the repository in that upstream's names. */
export interface TagPlace {
  upstream: string;
  repository: string;
  tag: string;
}

// No name of an upstream, repository or tag has a line end in it.

export function keyOf({ upstream, repository, tag }: TagPlace): string {
  return `${upstream}\n${repository}\n${tag}`;
}

export function placeOf(key: string): TagPlace {
  const [upstream = '', repository = '', tag = ''] = key.split('\n');
  return { upstream, repository, tag };
}
