import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import type { Recipe } from '../api/schema.ts';
import { digestShort, figure } from '../format/number.ts';
import { useModels } from '../live/hooks.ts';
import classes from './recipe-tree.module.css';

/** A recipe as nested lists: the op, its parameters, and what it was applied to, down to registered models. */
export function RecipeTree({ recipe }: { recipe: Recipe }) {
  const names = new Map(useModels()?.map(({ id, name }) => [id, name]));
  return (
    <ul className={classes.tree}>
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
          {names.get(recipe.model_id) ?? recipe.model_id}
        </Anchor>{' '}
        <code className={classes.digest} title={recipe.digest}>
          {digestShort(recipe.digest)}
        </code>
      </li>
    );
  }
  const parameters = Object.entries(recipe.parameters);
  return (
    <li>
      <details open>
        <summary className={classes.op}>
          {part && <span className={classes.part}>{part}</span>}
          <strong>{recipe.op}</strong>
          {parameters.map(([name, value]) => (
            <span key={name} className={classes.parameter}>
              {name} <b>{valueText(value)}</b>
            </span>
          ))}
        </summary>
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
