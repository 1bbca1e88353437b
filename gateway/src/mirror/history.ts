/** Histories: each is one reading of the backend's log from its beginning; readers see the published one alone. */
import type { PrismaClient } from '../generated/client.js';

export type History = {
  id: number;
  epoch: string;
  seq: number;
  published: boolean;
  lastEventAt: Date | null;
  updatedAt: Date;
};

export async function publishedHistory(prisma: PrismaClient): Promise<History | null> {
  const row = await prisma.history.findFirst({ where: { published: true }, orderBy: { id: 'desc' } });
  return row && { ...row, seq: Number(row.seq) };
}

export async function beginHistory(prisma: PrismaClient, epoch: string, now: Date): Promise<History> {
  const row = await prisma.history.create({ data: { epoch, updatedAt: now } });
  return { ...row, seq: 0 };
}

/** Readers turn from the old history to this one in an instant. */
export async function publishHistory(prisma: PrismaClient, id: number): Promise<void> {
  await prisma.$transaction([
    prisma.history.updateMany({ where: { published: true }, data: { published: false } }),
    prisma.history.update({ where: { id }, data: { published: true } }),
  ]);
}

/** Deletes every history but these, with its rows. */
export async function sweepHistories(prisma: PrismaClient, keep: readonly number[]): Promise<void> {
  const gone = { notIn: [...keep] };
  await prisma.$transaction([
    prisma.event.deleteMany({ where: { history: gone } }),
    prisma.run.deleteMany({ where: { history: gone } }),
    prisma.model.deleteMany({ where: { history: gone } }),
    prisma.candidate.deleteMany({ where: { history: gone } }),
    prisma.generation.deleteMany({ where: { history: gone } }),
    prisma.evaluation.deleteMany({ where: { history: gone } }),
    prisma.log.deleteMany({ where: { history: gone } }),
    prisma.verification.deleteMany({ where: { history: gone } }),
    prisma.history.deleteMany({ where: { id: gone } }),
  ]);
}
