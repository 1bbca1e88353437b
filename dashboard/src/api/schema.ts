import type { components } from '../../../openapi/gateway.d.ts';

/** The things of the contract, under the names that it gives them. */
type S = components['schemas'];

export type Run = S['Run'];
export type RunKind = S['RunKind'];
export type RunStatus = S['RunStatus'];
export type RunPage = S['RunPageView'];
export type RunsSummary = S['RunsSummaryView'];
export type Progress = S['Progress'];
export type Model = S['Model'];
export type ModelDetail = S['ModelDetailView'];
export type Candidate = S['Candidate'];
export type Generation = S['Generation'];
export type Fitness = S['Fitness'];
export type TrainingEvaluation = S['TrainingEvaluation'];
export type TrainingStep = S['TrainingStep'];
export type LogLine = S['LogLine'];
export type Recipe = S['Leaf'] | S['MergeNode'];
export type EvoMergeReport = S['EvoMergeReport'];
export type CognateConfig = S['CognateConfig'];
export type CognateForecast = S['CognateForecast'];
export type EvoMergeConfig = S['EvoMergeConfig'];
export type EvoMergeSettings = S['EvoMergeSettings'];
export type EvoMergeForecast = S['EvoMergeForecast'];
export type PipelineConfig = S['PipelineConfig'];
export type Resources = S['Resources'];
export type SecondsFrom = CognateForecast['seconds_from'];
export type Preset = S['Preset'];
export type Verification = S['Verification'];
export type Prediction = S['Prediction'];
export type Lineage = S['Lineage'];
export type LineageNode = S['LineageNode'];
export type Problem = S['Problem'];
export type Event = S['Event'];
export type LiveEvent = S['LiveEvent'];
export type System = S['System'];
export type SeriesPoint = S['SeriesPoint'];
