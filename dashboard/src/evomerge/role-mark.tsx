import type { Candidate } from '../api/schema.ts';
import { Explained } from '../shell/explained.tsx';
import { Mark } from '../shell/mark.tsx';
import { ROLES } from './roles.ts';

/** How a candidate came to be, and what that word means. */
export function RoleMark({ role }: { role: Candidate['role'] }) {
  const { tone, meaning } = ROLES[role];
  return (
    <Explained meaning={meaning}>
      <Mark tone={tone}>{role}</Mark>
    </Explained>
  );
}
