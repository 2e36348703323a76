/**
 * Words of a private language that names in this project used to have. The field has words of its own for all of them:
 * an engineer looks for "backpressure", and does not guess that it is a "brake". A word is found whole, as a part of a
 * camelCase, PascalCase or kebab-case name; `takeTurns` stands for two words in a row.
 */
export const PRIVATE_WORDS = [
  'Turnstile',
  'Herd',
  'worry',
  'strangers',
  'Outlet',
  'Brake',
  'Lasting',
  'Carrier',
  'Journey',
  'Patience',
  'Shelf',
  'rotten',
  'Deed',
  'takeTurns',
  'Loan',
  'Intake',
  'Course',
  'gravity',
  'hasty',
  'hurry',
  'unasked',
  'faded',
  'Wanted',
  'Say',
  'Nowhere',
];
