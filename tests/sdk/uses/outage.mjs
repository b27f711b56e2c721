/**
 * A day on which the scoreboard can hardly be reached, as tests/sdk/test_outage.py has it for the other kit: timers and
 * fetch are those of this file. Writes down what was accepted.
 */
import fs from 'node:fs';
import http from 'node:http';
import { BufferFull, Client } from 'live-scoreboard-kit';
import { openBuffer } from 'live-scoreboard-kit/disk';

const { url, key } = JSON.parse(process.env.SITE);
const HOUR = 3_600_000;
const MOST = 60; // awards that the buffer takes: fewer than come in the longest outage
const day = { accepted: [], refused: [], noRoom: 0, deeds: 0, deaths: 0, attempts: 0 };

let state = 7;
const chance = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
const soon = (mean) => -Math.log(1 - chance()) * mean;

let [now, count, inFlight] = [0, 0, 0];
let timers = new Map();
const real = { setTimeout, clearTimeout };
globalThis.setTimeout = (call, delay = 0, ...more) => {
  timers.set((count += 1), { at: now + delay, call: () => call(...more) });
  return count;
};
globalThis.clearTimeout = (timer) => (typeof timer === 'number' ? timers.delete(timer) : real.clearTimeout(timer));

let over = false;
globalThis.fetch = async (address, { method, headers, body }) => {
  day.attempts += 1;
  const nothing = new TypeError('the line is dead');
  if (!over && Math.floor(now / (4 * HOUR)) % 2 === 0) throw nothing;
  const weather = over ? 0 : Math.floor(chance() * 24);
  if (weather === 0) return send(address, method, headers, body);
  if (weather < 4) await send(address, method, headers, body); // and the answer is lost
  const json = (status, type, more) => new Response(JSON.stringify({ type: `/problems/${type}` }), { status, ...more });
  if (weather === 4) return json(429, 'rate-limited', { headers: { 'Retry-After': '120' } });
  if (weather === 5) return json(503, 'unavailable');
  if (weather === 6) return json(403, 'forbidden'); // the key is revoked for a while
  const status = [200, 404, 413, 502][weather - 7];
  if (status) return new Response('<html>Sign in to this network</html>', { status });
  throw nothing;
};

/** What node:http has to say, for the real fetch has timers of its own. */
function send(address, method, headers, body) {
  inFlight += 1;
  return new Promise((resolve, reject) => {
    const options = { method, headers: Object.fromEntries(headers), agent: false };
    const request = http.request(address, options, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers }));
    });
    request.on('error', reject).end(body);
  }).finally(() => (inFlight -= 1));
}

let path = 'outage-0.ndjson';
let client = await start();

async function start() {
  const buffer = await openBuffer(path, { most: MOST });
  return new Client(url, { key, buffer, onRefused: ({ id }) => day.refused.push(id) });
}

async function deed() {
  day.deeds += 1;
  const known = chance() > 0.05;
  const id = `${known ? 'deed' : 'unknown'}-${day.deeds}`;
  const award = { id, player: `p${day.deeds % 40}`, action_type: known ? 'WIN_MATCH' : 'NOTHING' };
  try {
    await client.awardLater(award);
    day.accepted.push(id);
  } catch (error) {
    if (!(error instanceof BufferFull)) throw error;
    day.noRoom += 1;
  }
  if (client.buffer.count > MOST) throw new Error('more than the buffer takes');
}

/** What a new process finds is what the file has at this moment, and half of what was being written. */
async function die() {
  day.deaths += 1;
  timers = new Map();
  const old = path;
  path = `outage-${day.deaths}.ndjson`;
  fs.copyFileSync(old, path);
  fs.appendFileSync(path, '{"id": "half of');
  client = await start();
}

/** Everything that can go on without time passing has gone on. */
async function quiet() {
  for (let turns = 0; turns < 3 || inFlight > 0; turns += 1) await new Promise(setImmediate);
}

let [nextDeed, nextDeath] = [0, soon(2 * HOUR)];
while (now < 24 * HOUR) {
  await quiet();
  const [timer, { at, call }] = [...timers].reduce((a, b) => (b[1].at < a[1].at ? b : a), [0, { at: Infinity }]);
  now = Math.min(at, nextDeed, nextDeath);
  if (now === nextDeath) {
    await die();
    nextDeath += soon(2 * HOUR);
  } else if (now === nextDeed) {
    await deed();
    nextDeed += soon(120_000);
  } else {
    timers.delete(timer);
    call();
  }
}
over = true;
while (client.buffer.count) {
  await quiet();
  for (const [timer, { call }] of [...timers]) {
    timers.delete(timer);
    call();
  }
}
process.stdout.write(JSON.stringify(day));
process.exit(0);
