import { dropBody } from '../body/explanatory-body.ts';
import { parseJson, readBody } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import type { Login } from './own-user.ts';

/** Reads a path of Harbor's API. @param authorization undefined: as nobody */
export type HarborGet = (path: string, authorization: string | undefined) => Promise<Answer>;

/** When an account ends, in epoch milliseconds. Undefined: the upstream does not tell. */
export type Expiry = number | 'never' | undefined;

const API = '/api/v2.0';
const MAX_BYTES = 1_048_576;
/** Harbor does not allow this sign in the names of people (`robot$` is the default prefix of robots). */
const ROBOT_SIGN = '$';

export function isRobot(username: string): boolean {
  return username.includes(ROBOT_SIGN);
}

/**
 * Whether Harbor's database answers, so that a login that it refuses is refused for good reason (rule 13): without its database, Harbor
 * answers 401 to the right password too.
 */
export async function databaseAnswers(get: HarborGet): Promise<boolean> {
  const answer = await get(`${API}/repositories?page=1&page_size=1`, undefined);
  await dropBody(answer.body);
  return answer.status === 200;
}

/**
 * Whether Harbor's API knows the user. An ended robot and a wrong password get 401; a robot that is accepted gets 412, because it is no
 * person that Harbor could show. Undefined: Harbor does not tell.
 */
export async function isKnownToApi(get: HarborGet, authorization: string): Promise<boolean | undefined> {
  const answer = await get(`${API}/users/current`, authorization);
  await dropBody(answer.body);
  if (answer.status >= 500) return undefined;
  return answer.status !== 401;
}

/** When a robot ends, as Harbor's list of robots has it. The robot needs the permission to list robots. */
export async function robotExpiry(get: HarborGet, { username }: Login, authorization: string): Promise<Expiry> {
  if (!isRobot(username)) return undefined;
  const project = /\$([^+$]+)\+/.exec(username)?.[1];
  const query = project === undefined ? 'Level=system' : await projectQuery(get, project, authorization);
  if (query === undefined) return undefined;
  const list = await getJson(get, `${API}/robots?page=1&page_size=100&q=${encodeURIComponent(query)}`, authorization);
  const robot = Array.isArray(list) ? list.map(fieldsOf).find(({ name }) => name === username) : undefined;
  const at = robot?.expires_at;
  if (typeof at !== 'number') return undefined;
  return at === -1 ? 'never' : at * 1000;
}

/** When a password that is a JWT ends, as the robots of older Harbors have them. */
export function secretExpiry(password: string): Expiry {
  const [, payload, , ...more] = password.split('.');
  if (payload === undefined || more.length > 0) return undefined;
  const { exp } = fieldsOf(parseJson(Buffer.from(payload, 'base64url')));
  return typeof exp === 'number' ? exp * 1000 : undefined;
}

async function projectQuery(get: HarborGet, name: string, authorization: string): Promise<string | undefined> {
  const project = fieldsOf(await getJson(get, `${API}/projects/${encodeURIComponent(name)}`, authorization));
  return typeof project.project_id === 'number' ? `Level=project,ProjectID=${project.project_id}` : undefined;
}

async function getJson(get: HarborGet, path: string, authorization: string): Promise<unknown> {
  const answer = await get(path, authorization);
  if (answer.status === 200) return parseJson(await readBody(answer.body, MAX_BYTES));
  await dropBody(answer.body);
  return undefined;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
