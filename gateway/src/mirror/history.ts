/** Histories: each is one reading of the backend's log from its beginning; readers see the published one alone. */
import { Prisma, type PrismaClient } from '../generated/client.js';
import { tableNames } from './tables.js';

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
  const kept = [...keep];
  await prisma.$transaction([
    ...tableNames.map(
      (name) => prisma.$executeRaw`DELETE FROM ${Prisma.raw(name)} WHERE history <> ALL(${kept})`,
    ),
    prisma.history.deleteMany({ where: { id: { notIn: kept } } }),
  ]);
}
