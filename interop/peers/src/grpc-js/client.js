'use strict';
// The interop client on grpc-js: client.js DIR CASE HOST PORT plain|tls. Exits with 0 when the case passed.

const assert = require('assert');
const fs = require('fs');
const zlib = require('zlib');

// grpc-js hides whether a message came compressed; it unpacks each one with this function.
const unpacked = []; // bytes of the messages that came compressed
const { createGunzip } = zlib;
Object.defineProperty(zlib, 'createGunzip', { value(...args) {
  const index = unpacked.push(0) - 1;
  return createGunzip(...args).on('data', (chunk) => { unpacked[index] += chunk.length; });
} });

const { grpc, testing, INITIAL, TRAILING, MESSAGE_MAX, zeros, sleep } = require('./common');

const [, name, host, port, transport] = process.argv.slice(2);
const [LARGE_REQUEST, LARGE_REPLY] = [271828, 314159];
const NO_COMPRESS = 2; // gRPC core's GRPC_WRITE_NO_COMPRESS, which the package understands and does not export
const { OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNIMPLEMENTED } = grpc.status;
const SECONDS = 1000;

function open(Service = testing.TestService, options = {}) {
  const credentials = transport === 'tls' ?
    grpc.credentials.createSsl(fs.readFileSync(`${process.env.INTEROP_TLS}/ca.pem`)) : grpc.credentials.createInsecure();
  const override = transport === 'tls' ? { 'grpc.ssl_target_name_override': 'foo.test.google.fr' } : {};
  return new Service(`${host}:${port}`, credentials, {
    'grpc.max_receive_message_length': MESSAGE_MAX, 'grpc.use_local_subchannel_pool': 1, ...override, ...options });
}

const client = open();
const compressing = () => open(testing.TestService, { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });

// Starts one call of any kind and collects what comes of it. Replies of streams are read by next() alone.
function start(method, { on = client, request, metadata = new grpc.Metadata(), timeout = 30 * SECONDS } = {}) {
  const definition = on[method];
  const args = definition.requestStream ? [] : [request || {}];
  args.push(metadata, { deadline: Date.now() + timeout });
  const x = { reply: null };
  if (!definition.responseStream) args.push((_, reply) => { x.reply = reply; });
  x.call = on[method](...args);
  x.call.on('error', () => {}); // the same as the status
  x.headers = new Promise((resolve) => x.call.once('metadata', resolve));
  x.status = new Promise((resolve) => x.call.once('status', resolve));
  if (definition.responseStream) {
    const replies = x.call[Symbol.asyncIterator]();
    x.next = () => replies.next().then(({ value }) => value, () => undefined);
  }
  return x;
}

async function expectStatus(x, code, details) {
  const status = await x.status;
  assert.strictEqual(status.code, code, `status ${status.code} (${status.details}), expected ${code}`);
  if (details !== undefined) assert.strictEqual(status.details, details);
  await sleep(0); // the reply of a unary call is handed over beside the status
  return status;
}

function expectBody(reply, size) {
  assert(reply, 'no reply');
  const { body } = reply.payload || { body: Buffer.alloc(0) };
  assert.strictEqual(body.length, size, 'bytes of the body');
  assert(body.equals(Buffer.alloc(size)), 'the body is not zeros');
}

async function expectNext(x, size) {
  expectBody(await x.next(), size);
}

async function expectEnd(x, code = OK) {
  assert.strictEqual(await x.next(), undefined, 'one reply too many');
  return expectStatus(x, code);
}

const sizes = (...list) => list.map((size) => ({ size }));
const output = (size, request) => ({ response_parameters: sizes(size), payload: zeros(request) });

async function unary(request, { code = OK, size = request.response_size, details, ...options } = {}) {
  const x = start('UnaryCall', { request, ...options });
  await expectStatus(x, code, details);
  if (code === OK) expectBody(x.reply, size);
  return x;
}

const large = (fields) => ({ response_size: LARGE_REPLY, payload: zeros(LARGE_REQUEST), ...fields });
const message = (size, compressed) => ({ payload: zeros(size), expect_compressed: { value: compressed } });

async function compressedUnary() {
  await unary(large({ expect_compressed: { value: true } }), { on: compressing() });
  await unary(large({ expect_compressed: { value: false } }));
}

async function compressedStreaming() {
  const x = start('StreamingInputCall', { on: compressing() });
  x.call.write(message(27182, true));
  x.call.write(message(45904, false), NO_COMPRESS);
  x.call.end();
  await expectStatus(x, OK);
  assert.strictEqual(x.reply.aggregated_payload_size, 73086);
}

async function soak(newChannels) {
  let iterations = 20;
  const until = Date.now() + 60 * SECONDS;
  const worker = async () => {
    while (iterations-- > 0) {
      const on = newChannels ? open() : client;
      const began = Date.now();
      await unary(large(), { on });
      assert(Date.now() - began <= 10 * SECONDS && Date.now() <= until, 'too slow');
      if (newChannels) on.close();
    }
  };
  await Promise.all([worker(), worker()]);
}

const cases = {
  async empty_unary() {
    const x = start('EmptyCall');
    await expectStatus(x, OK);
    assert.deepStrictEqual({ ...x.reply }, {});
  },
  large_unary: () => unary(large()),
  very_large_request: () => unary({ response_size: 10, payload: zeros(10 << 20) }),
  very_large_response: () => unary({ response_size: 10 << 20, payload: zeros(10) }),
  concurrent_large_unary: () =>
    Promise.all(Array.from({ length: 1000 }, () => unary(large(), { timeout: 120 * SECONDS }))),

  async client_compressed_unary() {
    await unary(large({ expect_compressed: { value: true } }), { code: INVALID_ARGUMENT });
    await compressedUnary();
  },
  client_compressed_unary_noprobe: compressedUnary,
  async server_compressed_unary() {
    for (const value of [true, false]) {
      unpacked.length = 0;
      await unary(large({ response_compressed: { value } }));
      assert.strictEqual(unpacked.length, value ? 1 : 0, 'compressed replies');
    }
  },
  async client_compressed_streaming() {
    const x = start('StreamingInputCall', { on: compressing() });
    x.call.write(message(27182, true), NO_COMPRESS);
    x.call.end();
    await expectStatus(x, INVALID_ARGUMENT);
    await compressedStreaming();
  },
  client_compressed_streaming_noprobe: compressedStreaming,
  async server_compressed_streaming() {
    const parameters = [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }];
    const x = start('StreamingOutputCall', { request: { response_parameters: parameters } });
    await expectNext(x, 31415);
    await expectNext(x, 92653);
    await expectEnd(x);
    assert(unpacked.length === 1 && unpacked[0] < 92653, `compressed replies: ${unpacked} bytes`);
  },

  async client_streaming() {
    const x = start('StreamingInputCall');
    for (const size of [27182, 8, 1828, 45904]) x.call.write({ payload: zeros(size) });
    x.call.end();
    await expectStatus(x, OK);
    assert.strictEqual(x.reply.aggregated_payload_size, 74922);
  },
  async server_streaming() {
    const x = start('StreamingOutputCall', { request: { response_parameters: sizes(31415, 9, 2653, 58979) } });
    for (const size of [31415, 9, 2653, 58979]) await expectNext(x, size);
    await expectEnd(x);
  },
  async ping_pong() {
    const x = start('FullDuplexCall');
    for (const [size, request] of [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]]) {
      x.call.write(output(size, request));
      await expectNext(x, size);
    }
    x.call.end();
    await expectEnd(x);
  },
  async empty_stream() {
    const x = start('FullDuplexCall');
    x.call.end();
    await expectEnd(x);
  },
  async half_duplex() {
    const x = start('HalfDuplexCall');
    for (const size of [31415, 9, 2653, 58979]) x.call.write({ response_parameters: sizes(size) });
    x.call.end();
    for (const size of [31415, 9, 2653, 58979]) await expectNext(x, size);
    await expectEnd(x);
  },
  async slow_consumer() {
    const request = { response_parameters: sizes(...Array(2000).fill(1030)) };
    const x = start('StreamingOutputCall', { request, timeout: 140 * SECONDS });
    for (let i = 0; i < 2000; i++) {
      await expectNext(x, 1030);
      await sleep(20);
    }
    await expectEnd(x);
  },

  async custom_metadata() {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, 'test_initial_metadata_value');
    metadata.set(TRAILING, Buffer.from('ababab', 'hex'));
    const expectEcho = async (x) => {
      assert.deepStrictEqual((await x.headers).get(INITIAL), ['test_initial_metadata_value']);
      assert.deepStrictEqual((await x.status).metadata.get(TRAILING), [Buffer.from('ababab', 'hex')]);
    };
    await expectEcho(await unary(large(), { metadata }));
    const x = start('FullDuplexCall', { metadata });
    x.call.write(output(LARGE_REPLY, LARGE_REQUEST));
    x.call.end();
    await expectNext(x, LARGE_REPLY);
    await expectEnd(x);
    await expectEcho(x);
  },
  async status_code_and_message() {
    const request = { response_status: { code: UNKNOWN, message: 'test status message' } };
    await unary(request, { code: UNKNOWN, details: 'test status message' });
    const x = start('FullDuplexCall');
    x.call.write(request);
    x.call.end();
    await x.next();
    await expectStatus(x, UNKNOWN, 'test status message');
  },
  async special_status_message() {
    const details = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
    await unary({ response_status: { code: UNKNOWN, message: details } }, { code: UNKNOWN, details });
  },
  unimplemented_method: () => expectStatus(start('UnimplementedCall'), UNIMPLEMENTED),
  unimplemented_service: () =>
    expectStatus(start('UnimplementedCall', { on: open(testing.UnimplementedService) }), UNIMPLEMENTED),

  async cancel_after_begin() {
    const x = start('StreamingInputCall');
    x.call.cancel();
    await expectStatus(x, CANCELLED);
  },
  async cancel_after_first_response() {
    const x = start('FullDuplexCall');
    x.call.write(output(31415, 27182));
    await expectNext(x, 31415);
    x.call.cancel();
    await expectEnd(x, CANCELLED);
  },
  async timeout_on_sleeping_server() {
    const x = start('FullDuplexCall', { timeout: 1 });
    x.call.write({ payload: zeros(27182) });
    await expectEnd(x, DEADLINE_EXCEEDED);
  },

  async client_pushback() {
    const x = start('StreamingOutputCall', { request: { response_parameters: sizes(...Array(256).fill(64 << 10)) } });
    await expectNext(x, 64 << 10);
    for (let i = 0; i < 20; i++) await unary(large());
    for (let i = 1; i < 256; i++) await expectNext(x, 64 << 10);
    await expectEnd(x);
  },
  async large_header() {
    const value = 'abcdefghijklmnopqrstuvwxyz'.repeat(2482).slice(0, 63 << 10);
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, value);
    const x = await unary({}, { metadata, size: 0 });
    assert.deepStrictEqual((await x.headers).get(INITIAL), [value]);
  },
  async cancel_before_start() {
    const x = start('FullDuplexCall');
    x.call.cancel();
    await expectEnd(x, CANCELLED);
    await expectEnd(start('FullDuplexCall', { timeout: -1 }), DEADLINE_EXCEEDED);
    await unary(large());
  },
  async cancel_after_headers() {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, 'now');
    const x = start('FullDuplexCall', { metadata });
    await x.headers;
    x.call.cancel();
    await expectEnd(x, CANCELLED);
  },
  async timeout_in_time() {
    const x = start('FullDuplexCall', { timeout: 20 * SECONDS });
    x.call.write(output(LARGE_REPLY, LARGE_REQUEST));
    x.call.end();
    await expectNext(x, LARGE_REPLY);
    await expectEnd(x);
  },
  async many_calls() {
    for (let i = 0; i < 4000; i++) {
      if (i % 4) {
        await unary({ response_size: 9, payload: zeros(8) });
        continue;
      }
      const x = start('FullDuplexCall');
      x.call.write(output(9, 8));
      await expectNext(x, 9);
      x.call.cancel();
      await expectEnd(x, CANCELLED);
    }
  },

  async pick_first_unary() {
    const on = open(testing.TestService, { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ pick_first: {} }] }) });
    const ids = new Set();
    for (let i = 0; i < 100; i++) {
      ids.add((await unary({ response_size: 1, payload: zeros(1), fill_server_id: true }, { on })).reply.server_id);
    }
    assert(ids.size === 1 && !ids.has(''), `servers ${[...ids]}`);
  },
  rpc_soak: () => soak(false),
  channel_soak: () => soak(true),
  async long_lived_channel() {
    for (let i = 0; i < 3; i++) {
      if (i) await sleep(1 * SECONDS);
      await unary(large());
    }
  },
};

(async () => {
  try {
    assert(Object.hasOwn(cases, name), 'there is no such case');
    await cases[name]();
    process.exit(0);
  } catch (error) { // whatever it is, the case has not passed
    console.error(`${name}: ${error.message.split('\n').join('; ')}`);
    process.exit(1);
  }
})();
