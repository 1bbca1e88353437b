import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import type { Recipe } from '../api/schema.ts';
import { digestShort, figure } from '../format/number.ts';
import { useModels } from '../live/hooks.ts';
import { ModelName } from './model-name.tsx';
import classes from './recipe-tree.module.css';

/** A recipe as nested lists: the op, its parameters, and what it was applied to, down to registered models. */
export function RecipeTree({ recipe }: { recipe: Recipe }) {
  const names = new Map(useModels()?.map(({ id, name }) => [id, name]));
  return (
    <ul className={`${classes.tree} words`}>
      <Branch recipe={recipe} names={names} />
    </ul>
  );
}

function Branch({
  recipe,
  names,
  part,
}: {
  recipe: Recipe;
  names: ReadonlyMap<string, string>;
  part?: string;
}) {
  if (recipe.kind === 'model') {
    return (
      <li>
        {part && <span className={classes.part}>{part}</span>}
        <Anchor component={Link} href={`/models/${recipe.model_id}`} size="sm">
          <ModelName name={names.get(recipe.model_id) ?? recipe.model_id} />
        </Anchor>{' '}
        <code className={classes.digest} title={recipe.digest}>
          {digestShort(recipe.digest)}
        </code>
      </li>
    );
  }
  const parameters = Object.entries(recipe.parameters);
  const plain = parameters.filter(([, value]) => !isSettings(value));
  const structured = parameters.flatMap(([name, value]) =>
    isSettings(value) ? [[name, value] as const] : [],
  );
  return (
    <li>
      <details open>
        <summary className={classes.op}>
          {part && <span className={classes.part}>{part}</span>}
          <strong>{recipe.op}</strong>
          {plain.map(([name, value]) => (
            <span key={name} className={classes.parameter}>
              {words(name)} <b>{valueText(value)}</b>
            </span>
          ))}
        </summary>
        {structured.map(([name, value]) => (
          <Settings key={name} name={name} settings={value} />
        ))}
        <ul>
          {recipe.base && <Branch recipe={recipe.base} names={names} part="about" />}
          {recipe.inputs.map((input, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: inputs are known by their place
            <Branch key={index} recipe={input} names={names} />
          ))}
        </ul>
      </details>
    </li>
  );
}

/** Their names, where these are few enough to read at a glance. */
const NAMED = 8;
const partsText = (names: readonly string[]): string =>
  names.length > NAMED ? `${names.length} parts` : names.map(words).join(', ');

/** Settings of many parts, one row each; a list is one column for each input, in their order. */
function Settings({ name, settings }: { name: string; settings: Record<string, unknown> }) {
  return (
    <details className={classes.settings}>
      <summary>
        {words(name)}
        <span>: {partsText(Object.keys(settings))}</span>
      </summary>
      <table>
        <tbody>
          {Object.entries(settings).map(([part, value]) => (
            <tr key={part}>
              <th scope="row">{words(part)}</th>
              {isFigures(value) ? (
                value.map((figureOf, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: inputs are known by their place
                  <td key={index}>{figureOf.toFixed(3)}</td>
                ))
              ) : (
                <td colSpan={99} data-text>
                  {valueText(value)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

const words = (name: string): string => name.replaceAll('_', ' ');

function isSettings(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFigures(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'number');
}

function valueText(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : figure(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, inner]) => `${name} ${valueText(inner)}`)
      .join(', ');
  }
  return String(value);
}
