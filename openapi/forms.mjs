/** The configurations that a person fills in: a form in the dashboard, flags on the command line. */
const FORMS = ['CognateConfig', 'EvoMergeConfig', 'EvoMergeSettings', 'PipelineConfig'];
const COMPONENTS = '#/components/schemas/';

/** @typedef {{ paths: Record<string, unknown>, components: { schemas: Record<string, unknown> } }} Spec */

/**
 * JSON Schema 2020-12 with the forms and all that they refer to under `$defs`.
 * @param {Spec} spec
 */
export function formsOf(spec) {
  /** @type {Record<string, unknown>} */
  const $defs = {};
  /** @param {string} name */
  const visit = (name) => {
    if (name in $defs) return;
    const schema = spec.components.schemas[name];
    if (!schema) throw new Error(`the contract has no schema ${name}`);
    $defs[name] = null; // holds the place: recipes and the like refer to themselves
    $defs[name] = localised(schema, visit);
  };
  FORMS.forEach(visit);
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', $defs };
}

/**
 * @param {unknown} value
 * @param {(name: string) => void} visit
 * @returns {unknown}
 */
function localised(value, visit) {
  if (Array.isArray(value)) return value.map((item) => localised(item, visit));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key !== '$ref' || !inner.startsWith(COMPONENTS)) return [key, localised(inner, visit)];
      const name = inner.slice(COMPONENTS.length);
      visit(name);
      return [key, `#/$defs/${name}`];
    }),
  );
}
