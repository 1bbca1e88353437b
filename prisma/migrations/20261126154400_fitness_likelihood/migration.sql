-- A part of the fitness has another name, and candidates tell their fault. Nothing here is the only copy: the mirror
-- fills itself again from the backend, whose own rows are migrated.
TRUNCATE "history", "event", "run", "model", "candidate", "generation", "evaluation", "log", "verification";
