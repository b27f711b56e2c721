/** The award was not accepted. */
export class BufferFull extends Error {
}
/** In memory: at most `most` awards, and `mostBytes` of their JSON. */
export class MemoryBuffer {
    constructor({ most, mostBytes }?: {
        most?: number | undefined;
        mostBytes?: number | undefined;
    });
    bytes: number;
    /** @protected @type {Map<string, string>} */ protected waiting: Map<string, string>;
    most: number;
    mostBytes: number;
    get count(): number;
    /** Accepts it, once. Throws BufferFull, or TypeError for what is no award. @param {Award} award */
    add(award: Award): void;
    /** Of the next to be sent the ids, and the JSON. @param {number} most @returns {[string, string][]} */
    oldest(most: number): [string, string][];
    /** They are answered. @param {string[]} ids */
    drop(ids: string[]): void;
    /** For what outlives the process. @protected @param {string} line */
    protected keep(line: string): void;
    close(): void;
}
import type { Award } from './index.js';
