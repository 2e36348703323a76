import { readClocks } from '../../clock/clock.ts';
import { findRoute, type Route } from '../../failover/rewrite.ts';
import { unheardAfter } from '../../failover/unheard.ts';
import { upstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import type { Uses } from '../proxy-context.ts';
import { mayHide } from '../pull/upstream-read.ts';
import { repositoryKeyOf } from '../request/repository-names.ts';
import { type Explanation, explain, splitImage } from './explain.ts';
import { type ImageLook, lookEverywhere } from './image-looks.ts';
import { type ImageOutlook, outlookOf } from './image-outlook.ts';
import { type UserOutlook, userOutlook } from './user-outlook.ts';

/** The plan of a request for an image, what each upstream says of the image now, and what follows. */
export interface ExplanationNow extends Explanation {
  looks: ImageLook[];
  outlook: ImageOutlook;
  /** Absent: no user was named. */
  user?: UserOutlook;
}

type ExplainContext = Uses<'access' | 'copies' | 'ledger' | 'names' | 'routes' | 'unheard' | 'upstreams' | 'views'>;

/** Explanations that ask at the same time. */
const MAX_UNDER_WAY = 4;
const MAX_USER = 255;

/** Asks the upstreams about images. Only the operator can make it ask. */
export class ImageExplainer {
  #underWay = 0;

  /** @param user of whom is told what is known @throws OciError NAME_INVALID, NAME_UNKNOWN, TOOMANYREQUESTS */
  async explain(context: ExplainContext, image: string, user?: string): Promise<ExplanationNow> {
    if (user !== undefined && user.length > MAX_USER) throw new OciError('NAME_INVALID', 'that is no user name');
    const planned = explain(context, image);
    if (this.#underWay >= MAX_UNDER_WAY)
      throw new OciError('TOOMANYREQUESTS', `${MAX_UNDER_WAY} explanations are being made now; try again`);
    this.#underWay += 1;
    try {
      const { registry, repository, reference } = splitImage(context, image);
      const found = findRoute(context.routes, registry, repository);
      if (!found) throw new OciError('NAME_UNKNOWN');
      const route: Route = mayHide(context, found) ? { ...found, onAbsent: 'stop' } : found;
      const looks = await lookEverywhere(context, route, repository, reference);
      const outlook = outlookFor(context, route, planned, looks);
      return { ...planned, looks, outlook, ...(user ? { user: rightsFor(context, route, planned, user) } : {}) };
    } finally {
      this.#underWay -= 1;
    }
  }
}

function outlookFor(
  { ledger, unheard }: ExplainContext,
  route: Route,
  { repository, reference, pull, lost }: Explanation,
  looks: ImageLook[],
): ImageOutlook {
  const place = upstreamTag(route, repository, reference);
  const isTag = !reference.includes(':');
  const confirmedAt = place && ledger.find(place)?.[0]?.confirmedAt;
  return outlookOf({
    route,
    reference,
    order: [...new Set(pull.map(({ upstream }) => upstream))],
    looks,
    judge: (digest) => (place ? ledger.judge(place, digest) : { verdict: 'unrecorded' }),
    unheard: route.push && isTag ? unheardAfter(unheard(), confirmedAt) : undefined,
    loss: lost,
    clocks: readClocks(),
  });
}

function rightsFor(
  { access, routes, upstreams }: ExplainContext,
  route: Route,
  { registry, repository }: Explanation,
  user: string,
): UserOutlook {
  const key = repositoryKeyOf(routes, access?.authority, registry, repository);
  const decider = route.pull.find(({ upstream }) => upstreams.get(upstream)?.config.credentials === 'forward');
  const anonymous = access !== undefined && key.anonymous;
  return userOutlook({ user, repository, rights: access?.rightsOf(user, key), decider: decider?.upstream, anonymous });
}
