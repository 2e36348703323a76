import type { FallbackKind } from './registry-address.ts';
import type { AuthMode } from './site-plan.ts';

/*
 * Rights that accounts of the edge need. Sources, read in November 2026:
 * Harbor: "Create System Robot Accounts", https://goharbor.io/docs/main/administration/robot-accounts/
 * Google: "Access control with IAM", https://cloud.google.com/artifact-registry/docs/access-control
 */

/** What to make at the primary for the edge. @param canary the image that probes read */
export function primaryAdvice(kind: 'harbor' | 'registry', auth: AuthMode, canary: string): string[] {
  // With users of its own, the edge pushes for them.
  const pushes = auth === 'htpasswd';
  if (kind === 'registry')
    return [
      `The edge needs an account that may pull everything, and push ${pushes ? 'what its users push' : 'the canary'}.`,
    ];
  const [project = 'library'] = canary.split('/');
  return [
    'The edge needs a robot of Harbor: Administration, Robot Accounts, New Robot Account (a robot of the system, not of a project).',
    'Expiration: never. By default, a robot ends after 30 days.',
    `In every project that is to be copied: List Repository, Pull Repository, List Artifact${pushes ? ', Push Repository' : ''}.`,
    `In the project ${project} also: Push Repository, for the image ${canary} that probes read.`,
    'Harbor then shows its name, such as robot$breakwater, and its secret, once.',
  ];
}

/** What to make at the fallback for the edge. */
export function fallbackAdvice(kind: FallbackKind): string[] {
  if (kind === 'artifact-registry')
    return [
      'The edge needs a service account with roles/artifactregistry.writer on this repository, and a JSON key of it.',
      'With deletions: follow it needs roles/artifactregistry.repoAdmin; if it only pulls, roles/artifactregistry.reader.',
    ];
  if (kind === 'harbor')
    return [
      'The edge needs a robot of Harbor that never ends, with these rights in the project:',
      'List Repository, Pull Repository, Push Repository, List Artifact.',
    ];
  return ['The edge needs an account that may pull and push there.'];
}
