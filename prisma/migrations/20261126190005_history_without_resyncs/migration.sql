-- AlterTable
ALTER TABLE "history" DROP COLUMN "resyncs";
