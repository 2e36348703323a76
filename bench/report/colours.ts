// Okabe and Ito's colours: told apart by everybody, and neither too light for white nor too dark for black.
const COLOURS: Record<string, string> = {
  edge: '#0072b2',
  'edge, verify: always': '#56b4e9',
  'edge, verify: never': '#8a7fd6',
  nginx: '#e69f00',
  HAProxy: '#009e73',
  Caddy: '#cc79a7',
};

/** Whoever is drawn has the same colour in every drawing. */
export function colourOf(name: string): string {
  return COLOURS[name] ?? '#999999';
}
