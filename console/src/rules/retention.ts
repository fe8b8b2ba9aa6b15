/** How long what is kept, in days: as the privacy record says, which is made from the code (docs/reference/privacy.md). */

export const WORKING_DAYS = 1;
export const REJECTS_DAYS = 30;
export const RUNS_DAYS = 400;
export const AUDIT_DAYS = 400;
export const LOG_DAYS = 90;
export const KEY_DAYS = 90;
