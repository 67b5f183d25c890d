// The process of the local Kinesis: the package kinesis-local, made to keep its data and to end with its parent.
// src/services/local-kinesis starts it. As it comes, kinesis-local listens on all interfaces, truncates its file and
// writes it in place, never writes it when it ends, and does not end on SIGTERM. What is changed from outside, and what it
// rests on, is in docs/decisions/0008-a-local-kinesis-kept-over-restarts.md.
'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const { Writable } = require('node:stream');
const { tryLock } = require('fs-native-extensions');

const { folder, port, persistMs } = JSON.parse(process.argv[2] ?? '');
const FILE = `${folder}/kinesis-data.json`;

/** The two ports that main.js is told: names only, `listen` below puts the real ones in their place. */
const PLAIN_PORT = 1;
const TLS_PORT = 2;
/** The wait between two writes that main.js is told: no other timer of its own waits so long, so this one is known by it. */
const LOOP_WAIT_MS = 987_654_321;
/** Making the file stops all answers: no more than this share of the time goes into it, however much there is. */
const PERSIST_SHARE = 0.1;
/** How long a process before this one may take to end. */
const LOCK_WAIT_MS = 120_000;
/** How long it may take to notice that its parent was killed: it notices nothing while it makes its file. */
const LOCK_NOTICE_MS = 8_000;
/** What streams keep: the default of Kinesis. */
const RETENTION_S = 24 * 3600;
/** When a last write does not come to an end. */
const STOP_LIMIT_MS = 120_000;

function tell(message) {
  if (process.connected) process.send(message, () => undefined);
}

/** As it is now: main.js puts one in its place that waits for all its servers and calls, for ever. */
const exit = process.exit.bind(process);

/** Ends once the parent was told, if there still is one. */
function end(code, message) {
  if (!process.connected) exit(code);
  process.send(message, () => exit(code));
}

// ---- One process a folder: a lock of the kernel, gone with the process

const LOCK = `${folder}/lock`;
const ENDING = 'ending';

/** Waits for a process before this one that is writing its file for the last time; not for one that goes on. */
function isFolderOurs() {
  fs.mkdirSync(folder, { recursive: true });
  const lock = fs.openSync(LOCK, 'a+');
  const begun = Date.now();
  while (!tryLock(lock)) {
    const limit = fs.readFileSync(LOCK, 'utf8') === ENDING ? LOCK_WAIT_MS : LOCK_NOTICE_MS;
    if (Date.now() - begun > limit) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  fs.writeFileSync(LOCK, `${process.pid}\n`);
  return true;
}

// ---- Sockets: this machine only

const servers = [];
const sockets = new Set();
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (asked, ...rest) {
  const isPlain = asked === PLAIN_PORT;
  servers.push(this);
  this.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  this.on('error', (error) => end(1, { kind: 'not-listening', code: error.code ?? '', message: error.message }));
  if (isPlain) this.on('listening', () => tell({ kind: 'listening', port: this.address().port }));
  return listen.call(this, isPlain ? port : 0, '127.0.0.1', rest.at(-1));
};

// ---- The file: whole or not at all, and on the disk once it counts

let written = '';
let hasFailed = false;
/** Since the last write began. */
let isStored = false;

function store(bytes) {
  const hash = createHash('sha1').update(bytes).digest('base64');
  if (hash === written) return;
  const part = `${FILE}.tmp`;
  const file = fs.openSync(part, 'w');
  try {
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(file, bytes, at);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(part, FILE);
  const names = fs.openSync(folder, 'r');
  fs.fsyncSync(names);
  fs.closeSync(names);
  written = hash;
}

const createWriteStream = fs.createWriteStream;
fs.createWriteStream = (path, options) => {
  if (path !== FILE) return createWriteStream(path, options);
  const pieces = [];
  const stream = new Writable({
    write(piece, _encoding, done) {
      pieces.push(piece);
      done();
    },
    final(done) {
      try {
        store(Buffer.concat(pieces));
        hasFailed = false;
        isStored = true;
        done();
      } catch (error) {
        // main.js goes on as if it had been written: it takes its listeners away before it writes.
        if (!hasFailed) tell({ kind: 'not-stored', message: error.message });
        hasFailed = true;
        done();
      }
    },
  });
  process.nextTick(() => stream.emit('ready'));
  return stream;
};

// ---- What is older than the retention: kinesis-local never lets go of a record

/**
 * Leaves out what came more than 24 hours before the newest record: not before now, so that who stopped both for a week
 * still finds his place. The last record of each shard stays: a position may stand on it.
 */
function trim() {
  if (!fs.existsSync(FILE)) return;
  const data = JSON.parse(fs.readFileSync(FILE, 'utf8'));
  const shards = Object.values(data.streams).flatMap((stream) =>
    Object.entries(stream.shards).map((of) => [stream, ...of]),
  );
  let newest = 0;
  for (const [, , records] of shards) newest = Math.max(newest, records.at(-1)?.ApproximateArrivalTimestamp ?? 0);
  let dropped = 0;
  for (const [stream, shard, records] of shards) {
    const first = records.findIndex((record) => record.ApproximateArrivalTimestamp > newest - RETENTION_S);
    const from = first < 0 ? records.length - 1 : first;
    if (from <= 0) continue;
    stream.shards[shard] = records.slice(from);
    dropped += from;
  }
  if (dropped > 0) store(Buffer.from(JSON.stringify(data)));
}

// ---- When it is written: each `persistMs` or less often, at once when it is to end

/** The loop of main.js while it waits for its next write; null while it writes. */
let next = null;
let waiting;
/** Undefined for the first, whose beginning is that of everything else, too. */
let begunAt;
let isEnding = false;
let isLastBegun = false;

function begin() {
  const go = next;
  next = null;
  begunAt = Date.now();
  isLastBegun = isEnding;
  isStored = false;
  go();
}

const later = globalThis.setTimeout;
globalThis.setTimeout = Object.assign((callback, ms, ...rest) => {
  if (ms !== LOOP_WAIT_MS) return later(callback, ms, ...rest);
  next = callback;
  const took = begunAt === undefined ? 0 : Date.now() - begunAt;
  if (isLastBegun) end(isStored ? 0 : 1, { kind: 'ended', stored: isStored });
  else waiting = later(begin, isEnding ? 0 : Math.max(persistMs, took / PERSIST_SHARE));
  return waiting;
}, later);

/** Answers nothing more, so that nothing is accepted that the last write lacks; writes once more; ends. */
function finish() {
  if (isEnding) return;
  isEnding = true;
  try {
    fs.writeFileSync(LOCK, ENDING);
  } catch {
    // Who comes next is refused sooner; the write that matters is still to come.
  }
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  later(() => end(1, { kind: 'ended', stored: false }), STOP_LIMIT_MS);
  if (next === null) return;
  clearTimeout(waiting);
  begin();
}

process.on('message', finish);
process.on('disconnect', finish);
// A terminal and a service manager send these to parent and child alike; the parent still needs its streams then, and
// says itself when it does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
const on = process.on;
process.on = function (event, ...rest) {
  return event === 'SIGINT' || event === 'SIGTERM' ? this : on.call(this, event, ...rest);
};

function start() {
  if (!isFolderOurs()) {
    end(1, { kind: 'locked' });
    return;
  }
  try {
    trim();
  } catch (error) {
    end(1, { kind: 'unreadable', message: error.message });
    return;
  }
  Object.assign(process.env, {
    AWS_REGION: 'us-west-2',
    KINESIS_MOCK_CERT_PATH: require.resolve('kinesis-local/server.json'),
    KINESIS_MOCK_PLAIN_PORT: String(PLAIN_PORT),
    KINESIS_MOCK_TLS_PORT: String(TLS_PORT),
    LOG_LEVEL: 'ERROR',
    PERSIST_FILE_NAME: 'kinesis-data.json',
    PERSIST_INTERVAL: `${LOOP_WAIT_MS}ms`,
    PERSIST_PATH: folder,
    SHOULD_PERSIST_DATA: 'true',
  });
  require('kinesis-local/main.js');
}

start();
