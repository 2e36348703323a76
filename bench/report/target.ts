/** A target and its measured value. */
export interface Target {
  what: string;
  /** Bound in words: `>= 1.15 x nginx`. */
  bound: string;
  /** Measured value, in the unit of the bound. */
  reached: string;
  /** nginx in the same unit, for scale. */
  nginx: string;
  met: boolean;
}

export interface Limit {
  what: string;
  /** NaN if the value could not be measured; the target is then missed. */
  value: number;
  bound: number;
  /** Unit behind the number, with its space: ` x nginx`. */
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
