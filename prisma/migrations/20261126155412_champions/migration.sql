-- AlterTable
ALTER TABLE "run" ADD COLUMN     "champion" DOUBLE PRECISION,
ADD COLUMN     "heldout" DOUBLE PRECISION;

-- CreateIndex
CREATE INDEX "run_history_status_created_at_idx" ON "run"("history", "status", "created_at");

-- Of the runs that are there already. From the text: `->>` would refuse a \u0000 anywhere in a run.
UPDATE "run" SET "champion" = substring("data"::text FROM '"champion_fitness":(-?[0-9.eE+-]+)')::float8;
