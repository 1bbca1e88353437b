import type { MergeConfig, MergeMethod, Model } from '../api/schema.ts';
import { type Field, propertiesOf } from '../form/schema.ts';

/** A merge as it is put together on the page. */
export interface Composition {
  method: MergeMethod;
  /** Ids, in the order in which they were chosen. */
  models: readonly string[];
  /** Id; null: the mean of the models. Of no meaning to a method without a base. */
  base: string | null;
  /** Id → weight; 1 where there is none. */
  weights: Readonly<Record<string, number>>;
  parameters: Readonly<Record<string, unknown>>;
}

const SCALAR = ['number', 'integer', 'boolean', 'string'];

/** The parameters that a form can ask for; weights stand beside their models. */
export const parametersOf = (method: MergeMethod): Field[] =>
  propertiesOf(method.parameters).filter(({ name }) => name !== 'weights');

/** Others measure the models or name layers and tokens: a recipe or a configuration says that. */
export const isComposable = (method: MergeMethod): boolean =>
  parametersOf(method).every(({ schema }) => SCALAR.includes(schema.type ?? ''));

export const takesWeights = ({ parameters }: MergeMethod): boolean => 'weights' in propertiesIn(parameters);

function propertiesIn(parameters: MergeMethod['parameters']): object {
  return (parameters.properties as object | undefined) ?? {};
}

/** The models that are merged, without the base. */
export const inputsOf = ({ method, models, base }: Composition): readonly string[] =>
  method.uses_base ? models.filter((id) => id !== base) : models;

export function recipeOf(composition: Composition): NonNullable<MergeConfig['recipe']> {
  const { method, base, weights, parameters } = composition;
  const inputs = inputsOf(composition);
  const model = (id: string) => ({ kind: 'model' as const, model_id: id });
  return {
    kind: 'merge',
    op: method.name,
    inputs: inputs.map(model),
    base: method.uses_base && base !== null ? model(base) : null,
    parameters: takesWeights(method)
      ? { ...parameters, weights: inputs.map((id) => weights[id] ?? 1) }
      : { ...parameters },
  };
}

/** What must be chosen before there can be a forecast. */
export function missing(composition: Composition): string | undefined {
  const { method } = composition;
  const count = inputsOf(composition).length;
  const { min_inputs: least, max_inputs: most } = method;
  if (count >= least && (most === null || count <= most) && count > 0) return undefined;
  const models = (number: number) => `${number} ${number === 1 ? 'model' : 'models'}`;
  const allowed =
    most === null
      ? `at least ${models(least)}`
      : least === most
        ? models(least)
        : `${least} to ${models(most)}`;
  const beside = method.uses_base ? ' beside the base' : '';
  return `${method.name} takes ${allowed}${beside}; ${count === 0 ? 'none is' : `${count} are`} chosen.`;
}

/** Why a model cannot be merged with another one; null where nothing is known to be against it. */
export function misfit({ architecture: own }: Model, { architecture: wanted }: Model): string | null {
  if (!own || !wanted) return own === wanted ? null : 'its architecture is unknown, the others’ is known';
  const kinds = [own, wanted].map((one) => (one.kind === 'causal_lm' ? one.model_type : 'TinyTitan'));
  if (kinds[0] !== kinds[1]) return `it is ${named(kinds[0])}, the others are ${kinds[1]}`;
  return null;
}

const named = (family: string | undefined): string =>
  `${/^[aeiou]/i.test(family ?? '') ? 'an' : 'a'} ${family}`;

/** Whether the models read different vocabularies, so that somebody has to say whose the result has. */
export function vocabulariesDiffer(models: readonly Model[]): boolean {
  const known = models.flatMap(({ architecture, tokenizer }) =>
    architecture?.kind === 'causal_lm' ? [tokenizer?.vocabulary ?? `${architecture.vocab_size}`] : [],
  );
  return new Set(known).size > 1;
}
