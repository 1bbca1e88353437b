import { Fragment } from 'react';

/** A model's name, which may break after its underscores and dots and not within a word. */
export function ModelName({ name }: { name: string }) {
  return name.split(/(?<=[_.])/).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts are known by their place
    <Fragment key={index}>
      {part}
      <wbr />
    </Fragment>
  ));
}
