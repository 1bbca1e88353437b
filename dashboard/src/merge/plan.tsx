import type { MergeForecast } from '../api/schema.ts';
import { ResourceFacts, Shortage } from '../form/forecast.tsx';
import classes from '../form/split.module.css';
import { bytes, count } from '../format/number.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Exported } from './exported.tsx';

/** What a merge comes to, before it starts. */
export function Plan({ forecast, onEdit }: { forecast: MergeForecast; onEdit: (text: string) => void }) {
  const { plan, parameters, files, read_bytes, seconds, seconds_from, resources } = forecast;
  return (
    <>
      <Facts>
        <Fact label="Parameters">{count(parameters)}</Fact>
        <Fact label="Result" note={files > 1 ? `in ${files} files` : undefined}>
          {bytes(forecast.bytes)}
        </Fact>
        <Fact label="Read">{bytes(read_bytes)}</Fact>
        <ResourceFacts seconds={seconds} from={seconds_from} onNodes={[]} resources={resources} />
        {plan.architecture?.kind === 'causal_lm' && (
          <Fact label="Vocabulary" note={plan.architecture.dtype}>
            {count(plan.architecture.vocab_size)}
          </Fact>
        )}
      </Facts>
      <Shortage resources={resources} />
      <details>
        <summary className={classes.summary}>As a merge configuration of mergekit</summary>
        <div style={{ marginTop: 8 }}>
          <Exported {...forecast} onEdit={onEdit} />
        </div>
      </details>
    </>
  );
}
