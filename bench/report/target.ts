/** Something that must be reached, and what was. */
export interface Target {
  what: string;
  /** In words: `>= 1.15 x nginx`. */
  bound: string;
  /** In the unit of the bound. */
  reached: string;
  /** nginx in the same unit, for scale. */
  nginx: string;
  met: boolean;
}

export interface Limit {
  what: string;
  /** NaN if it could not be measured, which is not met. */
  value: number;
  bound: number;
  /** Behind the number, with its space: ` x nginx`. */
  unit: string;
  /** Digits after the point. */
  digits?: number;
  nginx?: number;
}

export function atLeast(limit: Limit): Target {
  return target(limit, '>=', limit.value >= limit.bound);
}

export function atMost(limit: Limit): Target {
  return target(limit, '<=', limit.value <= limit.bound);
}

function target({ what, value, bound, unit, digits = 2, nginx }: Limit, sign: string, met: boolean): Target {
  const inWords = (number: number) => (Number.isFinite(number) ? number.toFixed(digits) : 'none');
  return {
    what,
    bound: `${sign} ${bound}${unit}`,
    reached: inWords(value),
    nginx: nginx === undefined ? '' : inWords(nginx),
    met,
  };
}
