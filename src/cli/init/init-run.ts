import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../config/config-error.ts';
import { inspectFile, loadConfig } from '../../config/load.ts';
import { pushNamed } from '../canary/canary-push.ts';
import type { CanaryReport } from '../canary/canary-text.ts';
import { check } from '../check/check.ts';
import type { CheckFinding } from '../check/reachability.ts';
import { UsageError } from '../config-path.ts';
import { abortOnSignals } from '../interruption.ts';
import { fileOwner } from './file-owner.ts';
import { type InitReport, initText, trialText } from './init-report.ts';
import { Interview } from './interview.ts';
import { keptFiles, presentFiles, presentText } from './present-site.ts';
import { siteFiles } from './site-files.ts';
import { FILES, type SitePlan } from './site-plan.ts';
import { planSite, type SiteOptions } from './site-questions.ts';
import { leftBehind, StagedDirectory } from './staged-directory.ts';
import { openPrompt } from './terminal-prompt.ts';

export interface InitOptions extends SiteOptions {
  /** The user that the service runs as. */
  owner?: string;
  /** The primary is new, although the fallback has images. */
  new?: boolean;
  offline?: boolean;
  force?: boolean;
  yes?: boolean;
  json?: boolean;
}

const OPEN_RISK =
  'With auth.mode open, every client that reaches the edge can pull every image of the fallback while the primary is down.';

/** Runs `breakwater init`. @returns whether the directory was written @throws UsageError */
export async function initSite(directory: string, options: InitOptions): Promise<boolean> {
  const owner = await fileOwner(options.owner);
  await refusePresent(directory, options.force === true);
  const prompt = openPrompt();
  try {
    const interview = new Interview(prompt, options.yes === true);
    const plan = await planSite(interview, options);
    if (plan.auth === 'open' && options.yes !== true) await consentToOpen(interview);
    prompt?.close();
    const { signal } = abortOnSignals(['SIGINT', 'SIGTERM', 'SIGHUP']);
    const kept = options.force ? await keptFiles(directory) : {};
    const files = await siteFiles(plan, kept, Date.now());
    const staged = await StagedDirectory.create(directory, owner);
    try {
      for (const file of files) await staged.write(file);
      await validate(staged.path, directory, plan);
      const isTried = !options.offline && plan.certificate.from !== 'later';
      const trial = isTried ? await trySite(staged.path, directory, options, signal) : undefined;
      if (signal.aborted) {
        await staged.discard();
        process.stderr.write('breakwater: interrupted; nothing was written\n');
        return false;
      }
      const isWritten = trial === undefined || trial.isGood || (await writesAnyway(interview, trial, directory));
      if (isWritten) await staged.publish(options.force === true);
      const report = reportOf({ directory, plan, files: files.map(({ name }) => name), trial, isWritten });
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : initText(report, plan));
      return isWritten;
    } finally {
      await staged.discard();
    }
  } finally {
    prompt?.close();
  }
}

/** @throws UsageError that says what is there */
async function refusePresent(directory: string, force: boolean): Promise<void> {
  const place = await stat(directory).catch(() => undefined);
  if (place && !place.isDirectory()) throw new UsageError(`${directory} is a file; name a directory`);
  const stale = await leftBehind(directory);
  if (stale.length > 0)
    process.stderr.write(`breakwater: an earlier run was killed and left secrets behind; remove ${stale.join(', ')}\n`);
  const present = presentFiles(directory);
  if (present.length > 0 && !force) throw new UsageError(await presentText(directory, present));
}

async function consentToOpen(interview: Interview): Promise<void> {
  const answer = await interview.confirm(`${OPEN_RISK} Do you want that?`);
  if (answer === undefined) throw new UsageError(`${OPEN_RISK} If you want that, add --yes`);
  if (!answer) throw new UsageError('nothing was written; repeat this with --auth delegate or --auth htpasswd');
}

/** @throws UsageError for a combination of answers that the configuration does not allow */
async function validate(staged: string, directory: string, { certificate }: SitePlan): Promise<void> {
  const file = join(staged, FILES.config);
  try {
    if (certificate.from !== 'later') await loadConfig(file);
    const { errors, locate } = await inspectFile(file);
    if (errors.length > 0) throw new ConfigError(errors.map(locate));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UsageError(`these answers do not fit together; ${error.message.replaceAll(staged, directory)}`);
  }
}

interface Trial {
  canaries: CanaryReport[];
  findings: CheckFinding[];
  isGood: boolean;
}

/** Pushes the canaries, and checks everything as `breakwater check` does. */
async function trySite(staged: string, directory: string, options: InitOptions, signal: AbortSignal): Promise<Trial> {
  const file = join(staged, FILES.config);
  const loaded = await loadConfig(file);
  const canaries = await pushNamed({ loaded, user: undefined, isNew: options.new === true }, [], signal);
  if (canaries.some(({ result }) => result === 'failed')) return { canaries, findings: [], isGood: false };
  const found = signal.aborted ? [] : await check(file, {});
  const findings = found.map((finding) => ({ ...finding, subject: finding.subject.replaceAll(staged, directory) }));
  return { canaries, findings, isGood: !findings.some(({ level }) => level === 'error') };
}

/** Asks a person, who sees the trial before. */
async function writesAnyway(interview: Interview, trial: Trial, directory: string): Promise<boolean> {
  return (await interview.confirm(`${trialText(trial)}\nWrite ${directory} all the same?`)) === true;
}

function reportOf(parts: {
  directory: string;
  plan: SitePlan;
  files: readonly string[];
  trial: Trial | undefined;
  isWritten: boolean;
}): InitReport {
  const { directory, plan, files, trial, isWritten } = parts;
  return {
    directory,
    written: isWritten,
    files,
    canaries: trial?.canaries ?? [],
    findings: trial?.findings ?? [],
    tried: trial !== undefined,
    good: trial?.isGood === true,
    certificate: plan.certificate.from,
  };
}
