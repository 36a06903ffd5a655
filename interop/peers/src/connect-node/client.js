// The interop client on connect-node, gRPC protocol: client.js CASE HOST PORT plain|tls. Exits with 0 when the case passed.

import assert from 'node:assert';
import fs from 'node:fs';
import { Code, createClient } from '@connectrpc/connect';
import { compressionGzip, createGrpcTransport } from '@connectrpc/connect-node';
import { TestService, UnimplementedService } from './gen/grpc/testing/test_pb.js';

const [name, host, port, transport] = process.argv.slice(2);
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';
const [LARGE_REQUEST, LARGE_REPLY] = [271828, 314159];
const SECONDS = 1000;

const unpacked = []; // bytes of the messages that came compressed
const gzip = { ...compressionGzip, async decompress(...args) {
  const message = await compressionGzip.decompress(...args);
  unpacked.push(message.length);
  return message;
} };

function open(service = TestService, options = {}) {
  const tls = transport === 'tls';
  const nodeOptions = { maxSessionMemory: 1000 }; // MB
  if (tls) Object.assign(nodeOptions, { ca: fs.readFileSync(`${process.env.INTEROP_TLS}/ca.pem`), servername: 'foo.test.google.fr' });
  return createClient(service, createGrpcTransport({
    baseUrl: `${tls ? 'https' : 'http'}://${host}:${port}`, nodeOptions, acceptCompression: [gzip],
    defaultTimeoutMs: 30 * SECONDS, ...options }));
}

const client = open();
const compressing = () => open(TestService, { sendCompression: gzip });

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const zeros = (size) => ({ type: 0, body: new Uint8Array(size) });
const sizes = (...list) => list.map((size) => ({ size }));
const output = (size, request) => ({ responseParameters: sizes(size), payload: zeros(request) });
const large = (fields) => ({ responseSize: LARGE_REPLY, payload: zeros(LARGE_REQUEST), ...fields });

function expectBody(reply, size) {
  assert(reply, 'no reply');
  const body = reply.payload ? reply.payload.body : new Uint8Array(0);
  assert.strictEqual(body.length, size, 'bytes of the body');
  assert(Buffer.alloc(size).equals(body), 'the body is not zeros');
}

async function expectError(promise, code, message) {
  const error = await promise.then(() => null, (thrown) => thrown);
  assert(error, `OK, expected ${Code[code]}`);
  assert.strictEqual(error.code, code, `${error.message}, expected ${Code[code]}`);
  if (message !== undefined) assert.strictEqual(error.rawMessage, message);
}

async function unary(request, { on = client, ...options } = {}) {
  const reply = await on.unaryCall(request, options);
  expectBody(reply, request.responseSize || 0);
  return reply;
}

// The requests of a stream, one by one.
function sender() {
  const waiting = [];
  let wake = () => {};
  const put = (item) => {
    waiting.push(item);
    wake();
  };
  return {
    send: (request) => put({ request }),
    end: () => put({}),
    requests: (async function* requests() {
      for (;;) {
        while (!waiting.length) await new Promise((resolve) => { wake = resolve; });
        const { request } = waiting.shift();
        if (!request) return;
        yield request;
      }
    })(),
  };
}

// A stream of replies, one by one.
function reader(replies) {
  const iterator = replies[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    async expect(size) {
      expectBody((await iterator.next()).value, size);
    },
    async expectEnd() {
      assert((await iterator.next()).done, 'one reply too many');
    },
  };
}

function duplex(options) {
  const { send, end, requests } = sender();
  return { send, end, ...reader(client.fullDuplexCall(requests, options)) };
}

async function* list(...requests) {
  yield* requests;
}

async function compressedUnary() {
  await unary(large({ expectCompressed: { value: true } }), { on: compressing() });
  await unary(large({ expectCompressed: { value: false } }));
}

async function soak(newChannels) {
  let iterations = 20;
  const until = Date.now() + 60 * SECONDS;
  const worker = async () => {
    while (iterations-- > 0) {
      const began = Date.now();
      await unary(large(), { on: newChannels ? open() : client });
      assert(Date.now() - began <= 10 * SECONDS && Date.now() <= until, 'too slow');
    }
  };
  await Promise.all([worker(), worker()]);
}

const cases = {
  empty_unary: () => client.emptyCall({}).then(assert),
  large_unary: () => unary(large()),
  very_large_request: () => unary({ responseSize: 10, payload: zeros(10 << 20) }),
  very_large_response: () => unary({ responseSize: 10 << 20, payload: zeros(10) }),
  concurrent_large_unary: () =>
    Promise.all(Array.from({ length: 1000 }, () => unary(large(), { timeoutMs: 120 * SECONDS }))),

  async client_compressed_unary() {
    await expectError(unary(large({ expectCompressed: { value: true } })), Code.InvalidArgument);
    await compressedUnary();
  },
  client_compressed_unary_noprobe: compressedUnary,
  async server_compressed_unary() {
    for (const value of [true, false]) {
      unpacked.length = 0;
      await unary(large({ responseCompressed: { value } }));
      assert.strictEqual(unpacked.length, value ? 1 : 0, 'compressed replies');
    }
  },
  async server_compressed_streaming() {
    const responseParameters = [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }];
    const replies = reader(client.streamingOutputCall({ responseParameters }));
    await replies.expect(31415);
    await replies.expect(92653);
    await replies.expectEnd();
    assert(unpacked.length === 1 && unpacked[0] < 92653, `compressed replies: ${unpacked} bytes`);
  },

  async client_streaming() {
    const requests = [27182, 8, 1828, 45904].map((size) => ({ payload: zeros(size) }));
    assert.strictEqual((await client.streamingInputCall(list(...requests))).aggregatedPayloadSize, 74922);
  },
  async server_streaming() {
    const replies = reader(client.streamingOutputCall({ responseParameters: sizes(31415, 9, 2653, 58979) }));
    for (const size of [31415, 9, 2653, 58979]) await replies.expect(size);
    await replies.expectEnd();
  },
  async ping_pong() {
    const call = duplex();
    for (const [size, request] of [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]]) {
      call.send(output(size, request));
      await call.expect(size);
    }
    call.end();
    await call.expectEnd();
  },
  empty_stream() {
    const call = duplex();
    call.end();
    return call.expectEnd();
  },
  async half_duplex() {
    const requests = [31415, 9, 2653, 58979].map((size) => ({ responseParameters: sizes(size) }));
    const replies = reader(client.halfDuplexCall(list(...requests)));
    for (const size of [31415, 9, 2653, 58979]) await replies.expect(size);
    await replies.expectEnd();
  },
  async slow_consumer() {
    const responseParameters = sizes(...Array(2000).fill(1030));
    const replies = reader(client.streamingOutputCall({ responseParameters }, { timeoutMs: 140 * SECONDS }));
    for (let i = 0; i < 2000; i++) {
      await replies.expect(1030);
      await sleep(20);
    }
    await replies.expectEnd();
  },

  async custom_metadata() {
    const got = {};
    const options = {
      headers: { [INITIAL]: 'test_initial_metadata_value', [TRAILING]: Buffer.from('ababab', 'hex').toString('base64') },
      onHeader: (headers) => { got.initial = headers.get(INITIAL); },
      onTrailer: (trailers) => { got.trailing = Buffer.from(trailers.get(TRAILING) || '', 'base64').toString('hex'); },
    };
    const expected = { initial: 'test_initial_metadata_value', trailing: 'ababab' };
    await unary(large(), options);
    assert.deepStrictEqual(got, expected);
    delete got.initial;
    delete got.trailing;
    const replies = reader(client.fullDuplexCall(list(output(LARGE_REPLY, LARGE_REQUEST)), options));
    await replies.expect(LARGE_REPLY);
    await replies.expectEnd();
    assert.deepStrictEqual(got, expected);
  },
  async status_code_and_message() {
    const request = { responseStatus: { code: Code.Unknown, message: 'test status message' } };
    await expectError(unary(request), Code.Unknown, 'test status message');
    await expectError(reader(client.fullDuplexCall(list(request))).next(), Code.Unknown, 'test status message');
  },
  async special_status_message() {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
    await expectError(unary({ responseStatus: { code: Code.Unknown, message } }), Code.Unknown, message);
  },
  unimplemented_method: () => expectError(client.unimplementedCall({}), Code.Unimplemented),
  unimplemented_service: () => expectError(open(UnimplementedService).unimplementedCall({}), Code.Unimplemented),

  async cancel_after_begin() {
    const cancel = new AbortController();
    const { requests } = sender();
    const reply = client.streamingInputCall(requests, { signal: cancel.signal });
    cancel.abort();
    await expectError(reply, Code.Canceled);
  },
  async cancel_after_first_response() {
    const cancel = new AbortController();
    const call = duplex({ signal: cancel.signal });
    call.send(output(31415, 27182));
    await call.expect(31415);
    cancel.abort();
    await expectError(call.next(), Code.Canceled);
  },
  async timeout_on_sleeping_server() {
    const call = duplex({ timeoutMs: 1 });
    call.send({ payload: zeros(27182) });
    await expectError(call.next(), Code.DeadlineExceeded);
  },

  async client_pushback() {
    const replies = reader(client.streamingOutputCall({ responseParameters: sizes(...Array(256).fill(64 << 10)) }));
    await replies.expect(64 << 10);
    for (let i = 0; i < 20; i++) await unary(large());
    for (let i = 1; i < 256; i++) await replies.expect(64 << 10);
    await replies.expectEnd();
  },
  async large_header() {
    const value = 'abcdefghijklmnopqrstuvwxyz'.repeat(2482).slice(0, 63 << 10);
    let got;
    await unary({}, { headers: { [INITIAL]: value }, onHeader: (headers) => { got = headers.get(INITIAL); } });
    assert.strictEqual(got, value);
  },
  async cancel_before_start() {
    const cancel = new AbortController();
    cancel.abort();
    await expectError(duplex({ signal: cancel.signal }).next(), Code.Canceled);
    await unary(large());
  },
  async cancel_after_headers() {
    const cancel = new AbortController();
    const options = { headers: { [INITIAL]: 'now' }, signal: cancel.signal, onHeader: () => cancel.abort() };
    await expectError(duplex(options).next(), Code.Canceled);
  },
  async timeout_in_time() {
    const replies = reader(client.fullDuplexCall(list(output(LARGE_REPLY, LARGE_REQUEST)), { timeoutMs: 20 * SECONDS }));
    await replies.expect(LARGE_REPLY);
    await replies.expectEnd();
  },
  async many_calls() {
    for (let i = 0; i < 4000; i++) {
      if (i % 4) {
        await unary({ responseSize: 9, payload: zeros(8) });
        continue;
      }
      const cancel = new AbortController();
      const call = duplex({ signal: cancel.signal });
      call.send(output(9, 8));
      await call.expect(9);
      cancel.abort();
      await expectError(call.next(), Code.Canceled);
    }
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

try {
  assert(Object.hasOwn(cases, name), 'there is no such case');
  await cases[name]();
  process.exit(0);
} catch (error) { // whatever it is, the case has not passed
  console.error(`${name}: ${error.message.split('\n').join('; ')}`);
  process.exit(1);
}
