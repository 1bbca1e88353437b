import { describe, expect, test } from '@jest/globals';
import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';
import { SharedEncoder } from '../../gateway/src/realtime/encoder.js';
import { run } from '../mirror/events.js';

const items = [run('r', { name: 'quote " and \u2028, 模型' })];
const answer = { ok: true, cursor: 'e:1', snapshot: { kind: 'runs', items } };
const ack = (data: unknown, id = 7, nsp = '/'): Packet => ({ type: PacketType.ACK, nsp, id, data: [data] });

function decoded(frames: unknown[]): unknown {
  const decoder = new Decoder();
  const packets: unknown[] = [];
  decoder.on('decoded', (packet: unknown) => packets.push(packet));
  for (const frame of frames) decoder.add(frame);
  return packets;
}

describe('encoder', () => {
  test.each<[string, Packet]>([
    ['a snapshot', ack(answer)],
    ['the same again', ack(answer, 8)],
    ['in another namespace', ack(answer, 9, '/other')],
    ['no snapshot', ack({ ok: true, cursor: 'e:1', snapshot: null })],
    ['a refusal', ack({ ok: false, problem: { status: 404 } })],
    ['an event', { type: PacketType.EVENT, nsp: '/', data: ['event', answer] }],
    ['bytes', ack({ bytes: Buffer.from('x') })],
    ['an ack of two', { type: PacketType.ACK, nsp: '/', id: 1, data: [answer, 2] }],
  ])('%s: the client reads what the usual encoding would tell', (_name, packet) => {
    const encoder = new SharedEncoder();
    encoder.encode(ack(answer));
    const usual = decoded(new Encoder().encode(structuredClone(packet)));
    expect(decoded(encoder.encode(packet))).toEqual(usual);
  });

  test('one snapshot is turned into text once', () => {
    let times = 0;
    const snapshot = { kind: 'runs', toJSON: () => ({ kind: 'runs', items: [++times] }) };
    const encoder = new SharedEncoder();
    for (let id = 0; id < 50; id++) encoder.encode(ack({ ok: true, cursor: `e:${id}`, snapshot }, id));
    expect(times).toBe(1);
  });
});
