import { Anchor, Button, Group, NumberInput, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useDebouncedValue, useDisclosure } from '@mantine/hooks';
import { IconFlame } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { gateway, newIdempotencyKey } from '../api/gateway.ts';
import { pipelineForecast, presets } from '../api/queries.ts';
import type { PipelineConfig, Preset } from '../api/schema.ts';
import { FieldGrid, type Values } from '../form/config-form.tsx';
import { fieldErrors } from '../form/errors.ts';
import { ResourceFacts, Shortage, shortage } from '../form/forecast.tsx';
import { fieldsOf } from '../form/schema.ts';
import { bytes, count, short } from '../format/number.ts';
import { useHealth } from '../live/hooks.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import classes from './forge.module.css';

const TRAINING = ['foundation_steps', 'train_steps', 'batch_tokens', 'difficulty', 'eval_problems'] as const;
const BREEDING = ['eval_problems', 'heldout_problems'] as const;
const TRAINING_FIELDS = fieldsOf('CognateConfig');
const BREEDING_FIELDS = fieldsOf('EvoMergeSettings');
const GENERATIONS = BREEDING_FIELDS.find(({ name }) => name === 'generations');

/** One button: train the parents, breed them, keep the champion. The page says beforehand what it will cost. */
export function Forge({ busy }: { busy: boolean }) {
  const [preset, setPreset] = useState<Preset>('nano');
  const [generations, setGenerations] = useState<number>(Number(GENERATIONS?.default ?? 50));
  const [training, setTraining] = useState<Values>({});
  const [breeding, setBreeding] = useState<Values>({});
  const [adjusting, { toggle }] = useDisclosure(false);
  const catalogue = useQuery(presets);
  const health = useHealth();
  const config = useMemo<PipelineConfig>(
    () => ({ cognate: { ...training, preset }, evomerge: { ...breeding, generations } }),
    [preset, generations, training, breeding],
  );
  const [settled] = useDebouncedValue(config, 250);
  const forecast = useQuery(pipelineForecast(settled));
  const key = useRef(newIdempotencyKey());
  const forge = useMutation({
    mutationFn: () =>
      gateway.post('/api/v1/pipelines', { body: config, headers: { 'Idempotency-Key': key.current } }),
    onSuccess: () => {
      key.current = newIdempotencyKey();
    },
  });
  const errors = fieldErrors(forge.error ?? forecast.error);
  const plan = forecast.data;
  const shorts = plan && [plan.cognate.resources, ...(plan.evomerge ? [plan.evomerge.resources] : [])];
  const lacking = shorts?.find((resources) => shortage(resources) !== null);
  const away = health.kind !== 'live';
  const total =
    plan && plan.cognate.seconds !== null && plan.evomerge && plan.evomerge.seconds !== null
      ? plan.cognate.seconds + plan.evomerge.seconds
      : null;

  const parts = plan ? [plan.cognate.seconds_from, plan.evomerge?.seconds_from ?? null] : [];
  const from = total === null ? null : parts.includes('machine') ? 'machine' : 'runs';

  return (
    <section className={classes.forge} aria-label="Forge">
      <div className={classes.plan}>
        <div>
          <Title order={2} size={20}>
            Forge a champion
          </Title>
          <Text c="dimmed" size="sm" mt={2}>
            Train three specialists from one foundation, then breed them for generations of eight and keep the
            best.
          </Text>
        </div>
        <Group gap="lg" align="flex-end">
          <div>
            <Text size="sm" fw={600} mb={4} id="forge-preset">
              Model shape
            </Text>
            <SegmentedControl
              aria-labelledby="forge-preset"
              value={preset}
              onChange={(value) => setPreset(value as Preset)}
              data={
                catalogue.data?.map((info) => ({
                  value: info.preset,
                  label: (
                    <span className={classes.preset}>
                      <span>{info.preset}</span>
                      <span className={classes.size}>{short(info.parameters)}</span>
                    </span>
                  ),
                })) ?? [{ value: preset, label: preset }]
              }
            />
          </div>
          <NumberInput
            label="Generations"
            value={generations}
            onChange={(value) => typeof value === 'number' && setGenerations(value)}
            min={GENERATIONS?.schema.minimum ?? 1}
            max={GENERATIONS?.schema.maximum ?? 1000}
            allowDecimal={false}
            error={errors.get('evomerge.generations')}
            w={120}
          />
          <Button variant="default" onClick={toggle} aria-expanded={adjusting}>
            {adjusting ? 'Fewer settings' : 'Training settings'}
          </Button>
        </Group>
        {adjusting && (
          <Stack gap="sm">
            <FieldGrid
              fields={TRAINING_FIELDS}
              names={TRAINING}
              values={training}
              onChange={setTraining}
              errors={errors}
              prefix="cognate."
              chosen={plan?.cognate.config as Values | undefined}
            />
            <Title order={3} size={13} c="dimmed" mt={4}>
              Breeding
            </Title>
            <FieldGrid
              fields={BREEDING_FIELDS}
              names={BREEDING}
              values={breeding}
              onChange={setBreeding}
              errors={errors}
              prefix="evomerge."
            />
            <Text size="sm" c="dimmed">
              Every other setting is on the{' '}
              <Anchor component={Link} href="/cognate">
                Cognate
              </Anchor>{' '}
              and{' '}
              <Anchor component={Link} href="/evomerge">
                EvoMerge
              </Anchor>{' '}
              pages.
            </Text>
          </Stack>
        )}
        <Group gap="md" align="center">
          <Button
            size="lg"
            leftSection={<IconFlame size={22} />}
            onClick={() => forge.mutate()}
            disabled={away || forge.isPending || lacking !== undefined || forecast.isError}
            className={classes.button}
            data-testid="forge"
          >
            Forge
          </Button>
          <Text size="sm" c="dimmed" role="status">
            {forge.isPending
              ? 'Asking the backend…'
              : forge.isSuccess
                ? 'Accepted: both runs are listed above.'
                : away
                  ? 'The backend must respond before a run can start.'
                  : busy
                    ? 'Queued: starts when the current run ends.'
                    : ''}
          </Text>
        </Group>
        {forge.isError && <ProblemNote error={forge.error} shownFields={new Set(errors.keys())} />}
      </div>
      <div className={classes.forecast} aria-live="polite">
        <Title order={3} size={13} c="dimmed" mb={10}>
          Forecast
        </Title>
        {plan ? (
          <Stack gap="sm">
            <Facts>
              <Fact
                label="Parents"
                note={`${count(plan.cognate.models[0]?.parameters ?? 0)} parameters each`}
              >
                {plan.cognate.config.specializations?.length ?? plan.cognate.models.length} models
              </Fact>
              {plan.evomerge && (
                <Fact label="Candidates" note={sizeRange(plan.evomerge.min_bytes, plan.evomerge.max_bytes)}>
                  {count(plan.evomerge.candidates)}
                </Fact>
              )}
              <ResourceFacts
                seconds={total}
                from={from}
                onNodes={
                  total === null
                    ? []
                    : plan.cognate.on_nodes.map(({ nodes, seconds }, index) => ({
                        nodes,
                        seconds: seconds + (plan.evomerge?.on_nodes[index]?.seconds ?? 0),
                      }))
                }
                resources={{
                  disk_needed:
                    plan.cognate.resources.disk_needed + (plan.evomerge?.resources.disk_needed ?? 0),
                  disk_free: plan.cognate.resources.disk_free,
                  memory_needed: Math.max(
                    plan.cognate.resources.memory_needed,
                    plan.evomerge?.resources.memory_needed ?? 0,
                  ),
                  memory_free: plan.cognate.resources.memory_free,
                }}
              />
              <Fact label="Training" note={`${bytes(plan.cognate.total_bytes)} of files`}>
                {count(plan.cognate.steps)} steps
              </Fact>
            </Facts>
            {lacking && <Shortage resources={lacking} />}
          </Stack>
        ) : forecast.isError ? (
          <ProblemNote error={forecast.error} onRetry={() => forecast.refetch()} />
        ) : (
          <Waiting for="the forecast" />
        )}
      </div>
    </section>
  );
}

function sizeRange(low: number, high: number): string {
  return low === high ? `${bytes(low)} each` : `${bytes(low)} to ${bytes(high)} each`;
}
