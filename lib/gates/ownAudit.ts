import type { AuditCommand, AuditFunction, OwnAudit } from '../job/gateSettings.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** What a user's own audit is to look at: written, and not yet seen by any reader. */
export interface AuditedManifest {
  /** Output root. */
  readonly root: string;
  readonly partition: string;
  readonly manifestUri: string;
}

/** Who carries users' own audits out. A kind that nobody carries out here isn't run, and doesn't pass. */
export interface Auditors {
  readonly command?: (audit: AuditCommand, audited: AuditedManifest) => Promise<Verdict>;
  readonly function?: (audit: AuditFunction, audited: AuditedManifest) => Promise<Verdict>;
}

/** The verdict of a job's own audit on a manifest. */
export async function ownVerdict(
  audit: OwnAudit,
  audited: AuditedManifest,
  auditors: Auditors,
): Promise<Verdict> {
  if ('command' in audit) {
    if (auditors.command !== undefined) return auditors.command(audit, audited);
    return notRun(audit, 'the audit is a command, and commands run on the command line only');
  }
  if (auditors.function !== undefined) return auditors.function(audit, audited);
  return notRun(audit, `the audit is the function ${audit.function}, which may not be invoked from here`);
}

function notRun({ action }: OwnAudit, reason: string): Verdict {
  const measured = { found: Number.NaN, bound: 0, isWithin: false, against: '' };
  return verdictOf('audit', action, { ...measured, subject: '', reason });
}
