'use strict';
// The grpc-js client: runs cases (../README.md says what each must show) and prints one line for each.

const assert = require('assert');
const fs = require('fs');
const { parseArgs } = require('util');
const { grpc, peertest, message, pattern, sum, receivedCompressed, sleep } = require('./common');

const TEXT = 'Grüße ☺ 😈';
const ERROR_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈, 100% %41 \t\n';
const ERROR_DETAIL = 'why ☺';
const ECHOED = {
  'x-echo-ascii': ['plain, with comma'],
  'x-echo-dup': ['first', 'second', 'first'],
  'x-echo-bytes-bin': [Buffer.from([0, 1, 2, 255, 0, 254, 128])],
  'x-echo-dup-bin': [Buffer.from([0]), Buffer.from([0, 0]), Buffer.from([255])],
  'x-echo-empty-bin': [Buffer.alloc(0)],
};

const { values: flags } = parseArgs({ options: {
  'target': { type: 'string' },
  'ca': { type: 'string' }, // use TLS
  'other-ca': { type: 'string' }, // did not sign the server's certificate
  'peer': { type: 'string' }, // who the server is, for its known limits
  'cases': { type: 'string' }, // comma separated
} });

function open(ca, options) {
  const credentials = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure();
  return new peertest.PeerTest(flags.target, credentials, options);
}

const client = open(flags.ca);
const METHODS = { unary: 'Unary', server_stream: 'ServerStream', client_stream: 'ClientStream', bidi: 'Bidi' };

function observation(id) {
  return new Promise((resolve, reject) => {
    client.Observe({ call_id: id }, { deadline: Date.now() + 5000 },
        (error, reply) => error ? reject(error) : resolve(reply));
  });
}

// Asks the server about a call until the answer is as wanted, for 5 seconds at most.
async function observe(id, wanted) {
  for (let i = 0; i < 100; i++) {
    const reply = await observation(id);
    if (wanted(reply)) return reply;
    await sleep(50);
  }
  throw new Error('the server never saw it');
}

// Runs one RPC of any kind, and tells what came of it. With `cancelId` the call is cancelled, without
// half-closing before, once the server has started it and the first reply of a stream was seen.
async function run(kind, requests, { timeout, metadata, on = client, cancelId } = {}) {
  const sends = kind === 'client_stream' || kind === 'bidi';
  const receives = kind === 'server_stream' || kind === 'bidi';
  const args = sends ? [] : [requests[0]];
  args.push(metadata || new grpc.Metadata(), timeout ? { deadline: Date.now() + timeout } : {});
  const x = { kind, requests, timeout, replies: [], headers: new grpc.Metadata() };
  if (!receives) args.push((_, reply) => reply && x.replies.push(reply));
  receivedCompressed();
  const call = on[METHODS[kind]](...args);
  call.on('error', () => {}); // the same as the status
  call.on('metadata', (headers) => x.headers = headers);
  const status = new Promise((resolve) => call.on('status', resolve));
  const firstReply = new Promise((resolve) => receives ? call.once('data', resolve) : resolve());
  if (receives) call.on('data', (reply) => x.replies.push(reply));
  if (cancelId) {
    firstReply.then(() => observe(cancelId, (o) => o.started)).then(() => call.cancel(), () => call.cancel());
  }
  if (sends) {
    let over = false;
    status.then(() => over = true);
    for (const request of requests) {
      if (over) break;
      if (!call.write(request)) await Promise.race([status, new Promise((resolve) => call.once('drain', resolve))]);
    }
    if (!cancelId) call.end();
  }
  ({ code: x.code, details: x.message, metadata: x.trailers } = await status);
  await sleep(0); // the last reply is handed over beside the status
  x.compressed = receivedCompressed();
  return x;
}

// Compares all replies with what the script says.
function check({ kind, requests, replies, timeout }) {
  const want = [];
  const running = { received_count: 0, received_bytes: 0, received_sum: 0 };
  const add = (request, text) => want.push({ text, payload: pattern(request.reply_bytes || 0), index: want.length,
    ...running });
  let text = '';
  let last = {};
  for (const request of requests) {
    last = request;
    running.received_count++;
    running.received_bytes += (request.payload || '').length;
    running.received_sum = (running.received_sum + sum(request.payload || Buffer.alloc(0))) >>> 0;
    text += request.text || '';
    if (kind === 'server_stream' || kind === 'bidi') {
      for (let i = 0; i < (request.reply_count || 0); i++) add(request, request.text || '');
    }
    if (request.failure) break;
  }
  if ((kind === 'unary' || kind === 'client_stream') && !last.failure) add(last, text);
  assert.strictEqual(replies.length, want.length, 'number of replies');
  want.forEach((expected, i) => {
    for (const [key, value] of Object.entries(expected)) {
      assert.deepStrictEqual(replies[i][key], value, `reply ${i}: ${key}`);
    }
    if (!timeout) assert.strictEqual(replies[i].deadline_ms, -1, 'a deadline where none was set');
  });
}

async function succeed(...args) {
  const x = await run(...args);
  assert.strictEqual(x.code, 0, `status ${x.code} ${JSON.stringify(x.message)}`);
  check(x);
  return x;
}

// The usual requests of a kind: one, or `count` of them where the client streams.
function script(kind, count, fields) {
  if (kind === 'unary' || kind === 'server_stream') return [{ reply_count: count, ...fields }];
  return Array.from({ length: count }, () => ({ reply_count: 1, ...fields }));
}

function echoMetadata() {
  const metadata = new grpc.Metadata();
  for (const [key, values] of Object.entries(ECHOED)) values.forEach((value) => metadata.add(key, value));
  return metadata;
}

// Compares headers with what was sent, and trailers under their longer name.
function checkEcho(x) {
  let note = '';
  for (const [key, values] of Object.entries(ECHOED)) {
    const trailerKey = `x-echo-trailer-${key.slice('x-echo-'.length)}`;
    for (const [where, got] of [['header', x.headers.get(key)], ['trailer', x.trailers.get(trailerKey)]]) {
      if (key === 'x-echo-dup') {
        note = 'limit: Node\'s http2 joins the values of one key';
        assert.deepStrictEqual(got, [values.join(', ')], `${where} ${key}`);
      } else {
        assert.deepStrictEqual(got, values, `${where} ${key}`);
      }
    }
    assert.deepStrictEqual([...x.headers.get(trailerKey), ...x.trailers.get(key)], [],
        `headers and trailers of ${key} are mixed up`);
  }
  return note;
}

const newId = (kind) => `node-${process.pid}-${kind}-${process.hrtime.bigint()}`;
const holds = (kind) => kind === 'unary' || kind === 'server_stream';

// Sends a message only after the reply to the one before.
function pingPong() {
  const texts = [];
  return new Promise((resolve, reject) => {
    const call = client.Bidi();
    call.on('error', reject);
    call.on('data', (reply) => {
      texts.push(reply.text);
      if (texts.length < 5) call.write({ text: `ping ${texts.length}`, reply_count: 1 });
      else call.end();
    });
    call.on('end', resolve);
    call.write({ text: 'ping 0', reply_count: 1 });
  }).then(() => assert.deepStrictEqual(texts, [0, 1, 2, 3, 4].map((i) => `ping ${i}`)));
}

const features = {
  async basic(kind) {
    await succeed(kind, script(kind, 5, { text: TEXT, payload: pattern(5), reply_bytes: 10 }));
    if (kind === 'bidi') await pingPong();
    await succeed(kind, holds(kind) ? [{ text: '' }] : []);
  },

  async large(kind) {
    const [size, count] = kind === 'unary' ? [1000000, 1] : [100000, 20];
    await succeed(kind, script(kind, count, { text: 'x', payload: pattern(size), reply_bytes: size }));
  },

  async metadata(kind) {
    return checkEcho(await succeed(kind, script(kind, 2, { text: TEXT }), { metadata: echoMetadata() }));
  },

  async error(kind) {
    async function fail(failure) {
      const requests = script(kind, 2, { text: TEXT });
      requests[requests.length - 1].failure = failure;
      const x = await run(kind, requests, { metadata: echoMetadata() });
      assert.deepStrictEqual([x.code, x.message], [failure.code, failure.message || '']);
      check(x);
      return x;
    }
    const x = await fail({ code: 9, message: ERROR_MESSAGE, detail: ERROR_DETAIL });
    const [bytes] = x.trailers.get('grpc-status-details-bin');
    const status = message('RpcStatus').deserialize(bytes);
    assert.deepStrictEqual([status.code, status.message, status.details.length], [9, ERROR_MESSAGE, 1]);
    assert.strictEqual(status.details[0].type_url, 'type.googleapis.com/picogrpc.peertest.Detail');
    assert.strictEqual(message('Detail').deserialize(status.details[0].value).text, ERROR_DETAIL);
    const note = checkEcho(x);
    assert.deepStrictEqual((await fail({ code: 5 })).trailers.get('grpc-status-details-bin'), []);
    return note;
  },

  // Lets the server end the call while the client still has 10 MB to send.
  async early(kind) {
    const requests = [{ failure: { code: 8, message: 'enough' } },
      ...Array.from({ length: 200 }, () => ({ payload: pattern(50000) }))];
    const x = await run(kind, requests);
    assert.deepStrictEqual([x.code, x.message], [8, 'enough']);
  },

  async deadline(kind) {
    const left = (await succeed(kind, script(kind, 1, {}), { timeout: 30000 })).replies[0].deadline_ms;
    assert(left > 20000 && left <= 31000, `of 30 s the server sees ${left} ms`);
    let id;
    let x;
    // grpc-js calls it CANCELLED when the server's reset wins over its own timer by a moment.
    for (let tries = 0; tries < 5 && (!x || x.code === 1); tries++) {
      id = newId(kind);
      x = await run(kind, script(kind, 1, { call_id: id, hold: true }), { timeout: 700 });
    }
    assert.strictEqual(x.code, 4, `status ${x.code} ${x.message}`);
    const seen = await observe(id, (o) => o.ended);
    assert(seen.cancelled && seen.deadline_ms >= 1 && seen.deadline_ms <= 730, `the server saw ${JSON.stringify(seen)}`);
    return `server saw ${seen.deadline_ms} of 700 ms`;
  },

  async cancel(kind) {
    const id = newId(kind);
    // Held even where the server would wait for messages: Node's http2 half-closes just before it resets.
    const x = await run(kind, script(kind, 1, { call_id: id, hold: true }), { cancelId: id });
    assert.strictEqual(x.code, 1, `status ${x.code} ${x.message}`);
    await observe(id, (o) => o.ended && o.cancelled);
  },

  async gzip(kind) {
    // A new channel each time: the first answer of a server whose grpc-accept-encoding has spaces in it,
    // as C-core's does, makes grpc-js stop compressing.
    const on = open(flags.ca, { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
    const x = await succeed(kind, script(kind, 4,
        { text: TEXT, payload: pattern(20000), reply_bytes: 20000, compress_replies: true }), { on });
    on.close();
    const notes = [];
    const sent = x.replies.filter((reply) => reply.sent_compressed).length;
    assert.strictEqual(x.compressed, sent, 'replies that arrived compressed');
    if (sent === 0) {
      assert.strictEqual(flags.peer, 'node', 'no reply was compressed');
      notes.push('limit: the peer\'s server cannot compress');
    }
    const last = x.replies[x.replies.length - 1];
    const stops = flags.peer === 'python' && !holds(kind); // see above, even in the middle of a call
    if (!last.sees_compression) notes.push('limit: the peer\'s server cannot see the flag');
    else if (stops) assert(last.received_compressed > 0, 'no request was compressed');
    else assert.strictEqual(last.received_compressed, x.requests.length, 'compressed requests');
    return [...notes, `${sent} of ${x.replies.length} replies compressed`].join('; ');
  },

  async concurrent() {
    await Promise.all(Array.from({ length: 100 }, (_, i) => succeed('unary', [{ text: String(i), delay_ms: 20 }])));
  },

  async unimplemented() {
    const method = peertest.NotServed.service.Missing;
    for (const path of [method.path, '/picogrpc.peertest.PeerTest/Missing']) {
      const error = await new Promise((resolve) => client.makeUnaryRequest(path, method.requestSerialize,
          method.responseDeserialize, {}, resolve));
      assert.strictEqual(error && error.code, 12, `${path}: ${error}`);
    }
  },

  async untrusted() {
    const stranger = open(flags['other-ca']);
    const error = await new Promise((resolve) => stranger.Unary({}, resolve));
    stranger.close();
    assert.strictEqual(error && error.code, 14, `${error}`);
  },
};

(async () => {
  for (const name of flags.cases.split(',')) {
    const [kind, feature] = name.split('.');
    let result;
    try {
      result = `pass ${await features[feature](kind) || ''}`;
    } catch (error) { // whatever it is, it belongs into the table
      result = `fail ${error.message}`;
    }
    fs.writeSync(1, `${name} ${result.replace(/\s*\n\s*/g, '; ')}\n`);
  }
  process.exit(0);
})();
