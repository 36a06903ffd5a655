'use strict';
// The grpc-js server: does what each request's script says (../peertest.proto).

const fs = require('fs');
const { parseArgs } = require('util');
const { grpc, peertest, message, pattern, sum, receivedCompressed } = require('./common');

const observed = new Map();

// The state of one RPC on the server.
class Call {
  constructor(call) {
    this.call = call;
    const deadline = call.getDeadline();
    this.deadlineMs = deadline === Infinity ? -1 : Math.max(0, deadline - Date.now());
    this.over = call.cancelled;
    this.wake = () => {};
    call.on('cancelled', () => {
      this.over = true;
      this.wake();
    });
    const headers = new grpc.Metadata();
    this.trailers = new grpc.Metadata();
    for (const key of Object.keys(call.metadata.getMap())) {
      if (!key.startsWith('x-echo-')) continue;
      for (const value of call.metadata.get(key)) {
        headers.add(key, value);
        this.trailers.add(`x-echo-trailer-${key.slice('x-echo-'.length)}`, value);
      }
    }
    call.sendMetadata(headers);
    this.count = this.bytes = this.sum = this.index = this.compressed = 0;
    this.text = '';
  }

  receive(request) {
    if (this.count === 0) {
      this.id = request.call_id;
      this.observe({ started: true, deadline_ms: this.deadlineMs });
    }
    this.compressed += receivedCompressed();
    this.count++;
    this.bytes += request.payload.length;
    this.sum = (this.sum + sum(request.payload)) >>> 0;
    this.text += request.text;
  }

  // Until the time is up or the call is over.
  async wait(ms) {
    if (this.over || ms === 0) return;
    let timer;
    await new Promise((resolve) => {
      this.wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  async reply(request, text) {
    await this.wait(request.delay_ms);
    return {
      text,
      payload: pattern(request.reply_bytes),
      index: this.index++,
      received_count: this.count,
      received_bytes: this.bytes,
      received_sum: this.sum,
      deadline_ms: this.deadlineMs,
      sees_compression: true,
      received_compressed: this.compressed,
      sent_compressed: false, // grpc-js servers cannot
    };
  }

  async sendReplies(request) {
    for (let i = 0; i < request.reply_count && !this.over; i++) {
      const reply = await this.reply(request, request.text);
      await new Promise((resolve) => this.call.write(reply, resolve));
    }
  }

  // The last steps of a request's script: hold, fail.
  async finish(request) {
    if (request.hold) await this.wait(10000);
    if (!request.failure) return;
    const { code, message: details, detail } = request.failure;
    if (detail) {
      const value = message('Detail').serialize({ text: detail });
      const status = { code, message: details,
        details: [{ type_url: 'type.googleapis.com/picogrpc.peertest.Detail', value }] };
      this.trailers.set('grpc-status-details-bin', message('RpcStatus').serialize(status));
    }
    throw { code, details, metadata: this.trailers };
  }

  observe(fields) {
    if (this.id) observed.set(this.id, { ...observed.get(this.id), ...fields });
  }
}

// Runs a handler; `done` ends the call with an error or a reply.
async function serve(rpc, handle, done) {
  const call = new Call(rpc);
  let error = null;
  let reply;
  try {
    reply = await handle(call);
  } catch (thrown) {
    error = thrown;
  }
  receivedCompressed();
  call.observe({ ended: true, cancelled: call.over });
  if (!call.over) done(error, reply, call.trailers);
}

function endStream(rpc) {
  return (error, _, trailers) => {
    if (error) rpc.emit('error', error);
    else rpc.end(trailers);
  };
}

const handlers = {
  Unary(rpc, callback) {
    serve(rpc, async (call) => {
      call.receive(rpc.request);
      const reply = await call.reply(rpc.request, rpc.request.text);
      await call.finish(rpc.request);
      return reply;
    }, callback);
  },

  ServerStream(rpc) {
    serve(rpc, async (call) => {
      call.receive(rpc.request);
      await call.sendReplies(rpc.request);
      await call.finish(rpc.request);
    }, endStream(rpc));
  },

  ClientStream(rpc, callback) {
    serve(rpc, async (call) => {
      let last = { delay_ms: 0, reply_bytes: 0 };
      for await (const request of rpc.iterator({ destroyOnReturn: false })) {
        call.receive(request);
        await call.finish(request);
        last = request;
      }
      return call.reply(last, call.text);
    }, callback);
  },

  Bidi(rpc) {
    serve(rpc, async (call) => {
      for await (const request of rpc.iterator({ destroyOnReturn: false })) {
        call.receive(request);
        await call.sendReplies(request);
        await call.finish(request);
      }
    }, endStream(rpc));
  },

  Observe(rpc, callback) {
    callback(null, observed.get(rpc.request.call_id) || {});
  },
};

const { values: flags } = parseArgs({ options: {
  'port': { type: 'string', default: '0' },
  'port-file': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
} });

const server = new grpc.Server();
server.addService(peertest.PeerTest.service, handlers);
const credentials = flags['tls-cert'] ?
  grpc.ServerCredentials.createSsl(null, [{
    cert_chain: fs.readFileSync(flags['tls-cert']), private_key: fs.readFileSync(flags['tls-key']) }]) :
  grpc.ServerCredentials.createInsecure();
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.forceShutdown();
    process.exit(0);
  });
}
server.bindAsync(`127.0.0.1:${flags.port}`, credentials, (error, port) => {
  if (error) throw error;
  fs.writeFileSync(flags['port-file'] + '.new', String(port));
  fs.renameSync(flags['port-file'] + '.new', flags['port-file']);
});
