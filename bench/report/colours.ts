// Okabe and Ito's colours, which people with colour blindness can tell apart. None is too light for white or too dark for black.
const COLOURS: Record<string, string> = {
  edge: '#0072b2',
  'edge, verify: always': '#56b4e9',
  'edge, verify: never': '#8a7fd6',
  nginx: '#e69f00',
  HAProxy: '#009e73',
  Caddy: '#cc79a7',
};

/** Each name has the same colour in every chart. */
export function colourOf(name: string): string {
  return COLOURS[name] ?? '#999999';
}
