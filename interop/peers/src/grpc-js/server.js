'use strict';
// grpc.testing.TestService on grpc-js: server.js DIR PORT plain|tls

const fs = require('fs');
const { grpc, testing, INITIAL, TRAILING, MESSAGE_MAX, zeros, sleep } = require('./common');

const [, port, transport] = process.argv.slice(2);

// grpc-js hides whether a message came compressed: its own decompression is watched.
const cameCompressed = new WeakSet();
function watchCompression(_, call) {
  const { decompressMessage } = call;
  call.decompressMessage = async function watched(message, encoding) {
    const plain = await decompressMessage.call(this, message, encoding);
    if (encoding !== 'identity') cameCompressed.add(plain);
    return plain;
  };
  return new grpc.ServerInterceptingCall(call);
}

function tellsCompression(method) {
  return { ...method, requestDeserialize(bytes) {
    const request = method.requestDeserialize(bytes);
    return Object.defineProperty(request, 'compressed', { value: cameCompressed.has(bytes) });
  } };
}

function refuse(code, details) {
  throw Object.assign(new Error(details), { code, details });
}

function checkRequest(request) {
  if (request.expect_compressed && request.expect_compressed.value !== request.compressed) {
    refuse(grpc.status.INVALID_ARGUMENT, `the message came ${request.compressed ? '' : 'un'}compressed`);
  }
  if (request.response_status && request.response_status.code) {
    refuse(request.response_status.code, request.response_status.message);
  }
  if (request.response_type) refuse(grpc.status.INVALID_ARGUMENT, `there is no payload of type ${request.response_type}`);
}

async function sendReplies(call, parameters) {
  for (const { size, interval_us: interval } of parameters) {
    if (interval) await sleep(interval / 1000);
    if (call.cancelled) return;
    await new Promise((resolve) => call.write({ payload: zeros(size) }, resolve));
  }
}

// Echoes the metadata, runs the handler, and ends the call with its reply or its error.
function method(handle) {
  return async (call, callback) => {
    const trailers = new grpc.Metadata();
    for (const value of call.metadata.get(TRAILING)) trailers.add(TRAILING, value);
    if (call.metadata.get(INITIAL).length) {
      const headers = new grpc.Metadata();
      for (const value of call.metadata.get(INITIAL)) headers.add(INITIAL, value);
      call.sendMetadata(headers);
    }
    try {
      const reply = await handle(call);
      if (callback) callback(null, reply, trailers);
      else call.end(trailers);
    } catch (error) {
      if (call.cancelled) return;
      const status = { code: error.code || grpc.status.UNKNOWN, details: error.details || String(error), metadata: trailers };
      if (callback) callback(status);
      else call.emit('error', status);
    }
  };
}

const requests = (call) => call.iterator({ destroyOnReturn: false });

const handlers = {
  EmptyCall: method(() => ({})),

  UnaryCall: method(({ request }) => {
    checkRequest(request);
    return { payload: zeros(request.response_size), server_id: request.fill_server_id ? `pid ${process.pid}` : '' };
  }),

  StreamingInputCall: method(async (call) => {
    let size = 0;
    for await (const request of requests(call)) {
      checkRequest(request);
      size += request.payload ? request.payload.body.length : 0;
    }
    return { aggregated_payload_size: size };
  }),

  StreamingOutputCall: method((call) => {
    checkRequest(call.request);
    return sendReplies(call, call.request.response_parameters);
  }),

  FullDuplexCall: method(async (call) => {
    for await (const request of requests(call)) {
      checkRequest(request);
      await sendReplies(call, request.response_parameters);
    }
  }),

  HalfDuplexCall: method(async (call) => {
    const wanted = [];
    for await (const request of requests(call)) {
      checkRequest(request);
      wanted.push(...request.response_parameters);
    }
    return sendReplies(call, wanted);
  }),
};

const server = new grpc.Server({ 'grpc.max_receive_message_length': MESSAGE_MAX, 'interceptors': [watchCompression] });
const service = Object.fromEntries(Object.entries(testing.TestService.service)
    .map(([name, definition]) => [name, tellsCompression(definition)]));
server.addService(service, handlers);
let credentials = grpc.ServerCredentials.createInsecure();
if (transport === 'tls') {
  const [certificate, key] = ['server.pem', 'server.key'].map((name) => fs.readFileSync(`${process.env.INTEROP_TLS}/${name}`));
  credentials = grpc.ServerCredentials.createSsl(null, [{ cert_chain: certificate, private_key: key }]);
}
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.forceShutdown();
    process.exit(0);
  });
}
server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => {
  if (!error) return;
  console.error(error.message);
  process.exit(1);
});
