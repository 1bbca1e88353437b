/** Parameter tables and metadata of models: not in the events, and immutable, so they are asked for once. */
import { isCancel } from 'axios';
import { ProblemError } from '../../../openapi/client.js';
import type { BackendApi } from '../backend/api.js';
import { Prisma, type PrismaClient } from '../generated/client.js';
import type { Detail } from './queries.js';

const AT_ONCE = 100;

/** Rejects where the backend is away; what has been stored by then stays. */
export async function fillDetails(
  prisma: PrismaClient,
  backend: BackendApi,
  history: number,
  signal: AbortSignal,
): Promise<void> {
  const gone = new Set<string>();
  while (!signal.aborted) {
    const rows = await prisma.model.findMany({
      where: { history, deletedAt: null, detail: { equals: Prisma.DbNull }, id: { notIn: [...gone] } },
      select: { id: true },
      take: AT_ONCE,
    });
    if (rows.length === 0) return;
    for (const { id } of rows) {
      const detail = await detailOf(backend, id, signal);
      if (detail === 'gone') gone.add(id);
      else await prisma.model.updateMany({ where: { history, id }, data: { detail } });
    }
  }
}

async function detailOf(backend: BackendApi, id: string, signal: AbortSignal) {
  try {
    const { modules, metadata } = await backend.get('/v1/models/{model_id}', {
      path: { model_id: id },
      signal,
    });
    const detail: Detail = { modules, metadata };
    return detail as unknown as Prisma.InputJsonObject;
  } catch (error) {
    // The model was deleted meanwhile: its event follows.
    if (!isCancel(error) && error instanceof ProblemError && error.problem.status === 404)
      return 'gone' as const;
    throw error;
  }
}
