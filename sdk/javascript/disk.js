/**
 * A buffer in a file, for Node.js on Linux, macOS and other Unixes.
 *
 * The file has a line for each award, synced before it counts as accepted, and later a line with the ids of those that
 * are answered. A crash may lose the second: then the awards are sent again, with the same ids.
 *
 * @import { Server } from 'node:net'
 */
import fs from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { MemoryBuffer } from './buffer.js';

const SLACK_BYTES = 2 ** 20; // of answered awards in the file, beside as much as what waits

/**
 * Opens it for this process alone. Rejects if another has it.
 *
 * @param {string} path @param {{most?: number, mostBytes?: number}} [options] @returns {Promise<MemoryBuffer>}
 */
export async function openBuffer(path, options) {
  return new DiskBuffer(path, await held(`${path}.lock`), options);
}

class DiskBuffer extends MemoryBuffer {
  #size = 0;
  /** @type {string} */ #path;
  /** @type {Server} */ #lock;
  /** @type {number} */ #file;

  /** @param {string} path @param {Server} lock @param {{most?: number, mostBytes?: number}} [options] */
  constructor(path, lock, options) {
    super(options);
    this.#path = path;
    this.#lock = lock;
    this.#file = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    // What comes after the last line end was torn by a crash, and never accepted.
    const lines = fs.readFileSync(path, 'utf8').split('\n').slice(0, -1);
    for (const [number, line] of lines.entries()) {
      try {
        const said = JSON.parse(line);
        super.drop(Array.isArray(said) ? said : [said.id]);
        if (!Array.isArray(said)) {
          this.waiting.set(said.id, line);
          this.bytes += Buffer.byteLength(line);
        }
      } catch (error) {
        throw new Error(`${path}, line ${number + 1}: expected an award, or ids; move the file away`, { cause: error });
      }
    }
    this.#rewrite();
  }

  /** @override @protected @param {string} line */
  keep(line) {
    this.#append(line, true);
  }

  /** @override @param {string[]} ids */
  drop(ids) {
    super.drop(ids);
    try {
      if (this.count && ids.length) this.#append(JSON.stringify(ids), false);
      if (!this.count || this.#size > 2 * this.bytes + SLACK_BYTES) this.#rewrite();
    } catch (error) {
      console.error(error); // a full disk: after a restart they are sent again, and pay nothing
    }
  }

  /** @override */
  close() {
    fs.closeSync(this.#file);
    this.#lock.close();
  }

  /** @param {string} line @param {boolean} sync */
  #append(line, sync) {
    const bytes = Buffer.from(`${line}\n`);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += fs.writeSync(this.#file, bytes, done, bytes.length - done, this.#size + done);
      }
      if (sync) fs.fsyncSync(this.#file);
    } catch (error) {
      fs.ftruncateSync(this.#file, this.#size);
      throw error;
    }
    this.#size += bytes.length;
  }

  /** The file with nothing but what waits. */
  #rewrite() {
    if (this.count) {
      const text = [...this.waiting.values()].map((line) => `${line}\n`).join('');
      fs.writeFileSync(`${this.#path}.new`, text, { mode: 0o600 });
      const file = fs.openSync(`${this.#path}.new`, 'r+');
      fs.fsyncSync(file);
      fs.renameSync(`${this.#path}.new`, this.#path);
      fs.closeSync(this.#file);
      this.#file = file;
      const folder = fs.openSync(dirname(this.#path), 'r');
      fs.fsyncSync(folder); // or the old file could be back after a power cut, without what comes now
      fs.closeSync(folder);
    } else fs.ftruncateSync(this.#file, 0);
    this.#size = this.bytes + this.count;
  }
}

/**
 * A socket that only one process can listen on, and that ends with the process.
 *
 * @param {string} path @returns {Promise<Server>}
 */
function held(path) {
  return new Promise((resolve, reject) => {
    const lock = net.createServer((guest) => guest.destroy()).unref();
    lock.once('listening', () => resolve(lock)).once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      const born = () => fs.statSync(path, { throwIfNoEntry: false })?.ctimeMs;
      const found = born();
      const probe = net.connect(path);
      probe.once('connect', () => {
        probe.destroy();
        reject(new Error(`${path}: another process has this buffer`));
      });
      probe.once('error', () => {
        if (born() === found) fs.rmSync(path, { force: true }); // its process is gone
        held(path).then(resolve, reject);
      });
    });
    lock.listen(path);
  });
}
