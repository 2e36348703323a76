import type { Logger } from 'pino';
import type { AdminHandlerOptions } from '../admin/admin-handler.ts';
import { type AuditLine, auditLogger } from '../proxy/reply/audit-line.ts';

const ACTIONS: Record<string, AuditLine['action']> = {
  '/login': 'login',
  '/logout': 'logout',
  '/api/accept': 'accept',
};
/** Characters of what a client sends. */
const MAX_TEXT = 256;

/** Logs who changed something by the admin listener, or tried to log in there. */
export function adminEvents(log: Logger): Pick<AdminHandlerOptions, 'onWrongToken' | 'onChange'> {
  const audits = auditLogger(log);
  return {
    onWrongToken: (client) => {
      const audit: AuditLine = { action: 'login', result: 'refused', client, what: 'admin' };
      audits.warn({ audit, client }, 'a wrong token was shown to the admin listener');
    },
    onChange: ({ client, path, what, status }) => {
      const action = ACTIONS[path] ?? 'change';
      const isAccess = action === 'login' || action === 'logout';
      const audit: AuditLine = {
        action,
        result: status < 400 ? 'done' : 'failed',
        client,
        what: isAccess ? 'admin' : (what ?? path).slice(0, MAX_TEXT),
      };
      audits.info({ audit }, 'admin');
    },
  };
}
