import type { Model } from '../api/schema.ts';
import { count } from '../format/number.ts';
import { Fact } from '../shell/fact.tsx';

/** What the architecture says of a model, of either kind. */
export function ShapeFacts({ architecture, tokenizer }: Pick<Model, 'architecture' | 'tokenizer'>) {
  if (!architecture) return null;
  // A mirror filled before there were kinds holds TinyTitans without one.
  if (architecture.kind !== 'causal_lm') {
    return (
      <Fact label="Shape" note={`${architecture.n_heads} heads, window ${architecture.window}`}>
        {architecture.n_layers} × {architecture.d_model}
      </Fact>
    );
  }
  return (
    <>
      <Fact label="Family" note={`${architecture.layers} layers`}>
        {architecture.model_type}
      </Fact>
      <Fact label="Vocabulary" note={architecture.tied ? 'head tied to the embedding' : 'head of its own'}>
        {count(architecture.vocab_size)}
      </Fact>
      <Fact label="Dtype">{architecture.dtype}</Fact>
      <Fact label="Tokenizer" note={tokenizer?.chat_template ? 'with a chat template' : undefined}>
        {tokenizer
          ? [tokenizer.kind, tokenizer.tokens && count(tokenizer.tokens)].filter(Boolean).join(', ')
          : 'none'}
      </Fact>
    </>
  );
}
