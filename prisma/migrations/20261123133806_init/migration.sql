-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "history" (
    "id" SERIAL NOT NULL,
    "epoch" TEXT NOT NULL,
    "seq" BIGINT NOT NULL DEFAULT 0,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "resyncs" INTEGER NOT NULL DEFAULT 0,
    "last_event_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "history_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "event" (
    "history" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "run_id" TEXT,
    "type" TEXT NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "event_pkey" PRIMARY KEY ("history","seq")
);

-- CreateTable
CREATE TABLE "run" (
    "history" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "pipeline_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "run_pkey" PRIMARY KEY ("history","id")
);

-- CreateTable
CREATE TABLE "model" (
    "history" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "run_id" TEXT,
    "name" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "data" JSON NOT NULL,
    "detail" JSON,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "model_pkey" PRIMARY KEY ("history","id")
);

-- CreateTable
CREATE TABLE "candidate" (
    "history" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "run_id" TEXT NOT NULL,
    "generation" INTEGER NOT NULL,
    "slot" INTEGER NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "candidate_pkey" PRIMARY KEY ("history","id")
);

-- CreateTable
CREATE TABLE "generation" (
    "history" INTEGER NOT NULL,
    "run_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "generation_pkey" PRIMARY KEY ("history","run_id","index")
);

-- CreateTable
CREATE TABLE "evaluation" (
    "history" INTEGER NOT NULL,
    "run_id" TEXT NOT NULL,
    "stage" TEXT NOT NULL,
    "step" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "evaluation_pkey" PRIMARY KEY ("history","run_id","stage","step")
);

-- CreateTable
CREATE TABLE "log" (
    "history" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "run_id" TEXT NOT NULL,
    "level" TEXT NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "log_pkey" PRIMARY KEY ("history","seq")
);

-- CreateTable
CREATE TABLE "verification" (
    "history" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "subject" TEXT NOT NULL,
    "subject_id" TEXT NOT NULL,
    "ok" BOOLEAN NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "verification_pkey" PRIMARY KEY ("history","seq")
);

-- CreateIndex
CREATE INDEX "event_history_run_id_seq_idx" ON "event"("history", "run_id", "seq");

-- CreateIndex
CREATE INDEX "event_history_type_seq_idx" ON "event"("history", "type", "seq");

-- CreateIndex
CREATE INDEX "run_history_created_at_id_idx" ON "run"("history", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "run_history_pipeline_id_idx" ON "run"("history", "pipeline_id");

-- CreateIndex
CREATE INDEX "model_history_created_at_id_idx" ON "model"("history", "created_at", "id");

-- CreateIndex
CREATE INDEX "model_history_run_id_idx" ON "model"("history", "run_id");

-- CreateIndex
CREATE UNIQUE INDEX "candidate_history_run_id_generation_slot_key" ON "candidate"("history", "run_id", "generation", "slot");

-- CreateIndex
CREATE INDEX "evaluation_history_run_id_seq_idx" ON "evaluation"("history", "run_id", "seq");

-- CreateIndex
CREATE INDEX "log_history_run_id_seq_idx" ON "log"("history", "run_id", "seq");

-- CreateIndex
CREATE INDEX "verification_history_subject_subject_id_seq_idx" ON "verification"("history", "subject", "subject_id", "seq");
