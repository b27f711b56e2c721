/**
 * Opens it for this process alone. Rejects if another has it.
 *
 * @param {string} path @param {{most?: number, mostBytes?: number}} [options] @returns {Promise<MemoryBuffer>}
 */
export function openBuffer(path: string, options?: {
    most?: number;
    mostBytes?: number;
}): Promise<MemoryBuffer>;
import { MemoryBuffer } from './buffer.js';
