/** socket.io's own encoding, but for the snapshots: each is turned into text once, however many clients get it. */
import { Encoder, type Packet, PacketType } from 'socket.io-parser';
import type { SubscribeAck } from '../../../openapi/gateway.js';

export class SharedEncoder extends Encoder {
  readonly #texts = new WeakMap<object, string>();

  override encode(packet: Packet): unknown[] {
    const [answer, ...more] = packet.type === PacketType.ACK ? (packet.data as unknown[]) : [];
    if (more.length > 0 || !hasSnapshot(answer)) return super.encode(packet);
    const { snapshot, ...rest } = answer;
    const space = packet.nsp && packet.nsp !== '/' ? `${packet.nsp},` : '';
    const others = JSON.stringify(rest).slice(1);
    return [`${PacketType.ACK}${space}${packet.id ?? ''}[{"snapshot":${this.#textOf(snapshot)},${others}]`];
  }

  #textOf(snapshot: object): string {
    const known = this.#texts.get(snapshot);
    if (known !== undefined) return known;
    const text = JSON.stringify(snapshot);
    this.#texts.set(snapshot, text);
    return text;
  }
}

type WithSnapshot = Extract<SubscribeAck, { ok: true }> & { snapshot: object };

function hasSnapshot(answer: unknown): answer is WithSnapshot {
  if (typeof answer !== 'object' || answer === null || !('snapshot' in answer)) return false;
  return typeof answer.snapshot === 'object' && answer.snapshot !== null;
}
