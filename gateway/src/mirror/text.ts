/** As a column or parameter of type text, which cannot hold U+0000; JSON columns keep it. */
export const text = (value: string): string => value.replaceAll('\u0000', '');
