/** Roles in which people approve the steps of a rollout. A key carries them; a plan names those it needs. */
export const APPROVER_ROLES = ['techLead', 'security', 'productOwner', 'executive'] as const;
export type ApproverRole = (typeof APPROVER_ROLES)[number];
