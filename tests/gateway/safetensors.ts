/** A safetensors file of one tensor: 8 bytes of header length, a JSON header, the bytes. */
export function safetensors(floats: number): Buffer {
  const data = Buffer.alloc(floats * 4);
  for (let index = 0; index < floats; index++) data.writeFloatLE((index % 997) / 997, index * 4);
  const text = JSON.stringify({ weight: { dtype: 'F32', shape: [floats], data_offsets: [0, data.length] } });
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, data]);
}
