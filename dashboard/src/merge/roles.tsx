import { NativeSelect, NumberInput, Stack } from '@mantine/core';
import type { Model } from '../api/schema.ts';
import { type Composition, inputsOf, takesWeights } from './composition.ts';
import { Shares } from './shares.tsx';

interface RolesProps {
  composition: Composition;
  models: readonly Model[];
  onBase: (id: string | null) => void;
  onWeight: (id: string, weight: number) => void;
}

/** What each chosen model is to the merge: how much of it goes in, or the base. */
export function Roles({ composition, models, onBase, onWeight }: RolesProps) {
  const { method, base, weights } = composition;
  const named = new Map(models.map(({ id, name }) => [id, name]));
  const inputs = inputsOf(composition);
  const weighted = takesWeights(method);
  const shares = inputs.map((id) => ({
    id,
    name: named.get(id) ?? id,
    weight: weighted ? (weights[id] ?? 1) : 1,
  }));
  const about = base === null ? 'the mean of the models' : (named.get(base) ?? base);
  return (
    <Stack gap="md">
      <Shares
        shares={shares}
        base={method.uses_base ? about : undefined}
        control={
          weighted
            ? ({ id, name, weight }) => (
                <NumberInput
                  aria-label={`Weight of ${name}`}
                  value={weight}
                  onChange={(next) => typeof next === 'number' && onWeight(id, next)}
                  step={0.1}
                  min={-1000}
                  max={1000}
                  w={104}
                  style={{ flex: 'none' }}
                />
              )
            : undefined
        }
      />
      {method.uses_base && (
        <NativeSelect
          label="Base"
          description="the model that the others were fine-tuned from"
          data={[
            { value: '', label: 'none: the mean of the models' },
            ...composition.models.map((id) => ({ value: id, label: named.get(id) ?? id })),
          ]}
          value={base ?? ''}
          onChange={(event) => onBase(event.currentTarget.value || null)}
        />
      )}
    </Stack>
  );
}
