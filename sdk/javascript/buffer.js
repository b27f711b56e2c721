/**
 * Accepted awards that wait for a final answer.
 *
 * @import { Award } from './index.js'
 */

const MAX_AWARD_BYTES = 10_000; // 200 of them fit into one request

/** The award was not accepted. */
export class BufferFull extends Error {
  name = 'BufferFull';
}

/** In memory: at most `most` awards, and `mostBytes` of their JSON. */
export class MemoryBuffer {
  bytes = 0;
  /** @protected @type {Map<string, string>} */ waiting = new Map();

  constructor({ most = 100_000, mostBytes = 32 * 2 ** 20 } = {}) {
    this.most = most;
    this.mostBytes = mostBytes;
  }

  get count() {
    return this.waiting.size;
  }

  /** Accepts it, once. Throws BufferFull, or TypeError for what is no award. @param {Award} award */
  add(award) {
    const { id } = award;
    const line = JSON.stringify(award);
    const size = bytesOf(line);
    if (typeof id !== 'string' || !id || [...id].length > 255 || size > MAX_AWARD_BYTES) {
      throw new TypeError(`expected an id of 1 to 255 characters, and at most ${MAX_AWARD_BYTES} bytes of JSON`);
    }
    const known = this.waiting.get(id);
    if (known === line) return;
    if (known) throw new TypeError(`another award with the id ${JSON.stringify(id)} is waiting`);
    if (this.count >= this.most || this.bytes + size > this.mostBytes) {
      throw new BufferFull(`no room: ${this.count} awards, ${this.bytes} bytes, wait to be sent`);
    }
    this.keep(line);
    this.waiting.set(id, line);
    this.bytes += size;
  }

  /** Of the next to be sent the ids, and the JSON. @param {number} most @returns {[string, string][]} */
  oldest(most) {
    const batch = [];
    for (const each of this.waiting) {
      if (batch.push(each) === most) break;
    }
    return batch;
  }

  /** They are answered. @param {string[]} ids */
  drop(ids) {
    for (const id of ids) {
      this.bytes -= bytesOf(this.waiting.get(id) ?? '');
      this.waiting.delete(id);
    }
  }

  /** For what outlives the process. @protected @param {string} line */
  keep(line) {
    void line;
  }

  close() {}
}

/** @param {string} text */
function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}
