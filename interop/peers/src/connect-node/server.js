// grpc.testing.TestService on connect-node, gRPC protocol: server.js PORT plain|tls

import fs from 'node:fs';
import http2 from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { TestService } from './gen/grpc/testing/test_pb.js';

const [port, transport] = process.argv.slice(2);
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

const zeros = (size) => ({ type: 0, body: new Uint8Array(size) });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function check(request) {
  const { responseStatus: status, responseType: type } = request;
  if (status && status.code) throw new ConnectError(status.message, status.code);
  if (type) throw new ConnectError(`there is no payload of type ${type}`, Code.InvalidArgument);
}

function echo({ requestHeader, responseHeader, responseTrailer }) {
  if (requestHeader.has(INITIAL)) responseHeader.set(INITIAL, requestHeader.get(INITIAL));
  if (requestHeader.has(TRAILING)) responseTrailer.set(TRAILING, requestHeader.get(TRAILING));
}

async function* replies(parameters) {
  for (const { size, intervalUs } of parameters) {
    if (intervalUs) await sleep(intervalUs / 1000);
    yield { payload: zeros(size) };
  }
}

const service = {
  emptyCall(_, context) {
    echo(context);
    return {};
  },
  unaryCall(request, context) {
    echo(context);
    check(request);
    return { payload: zeros(request.responseSize), serverId: request.fillServerId ? `pid ${process.pid}` : '' };
  },
  async streamingInputCall(requests, context) {
    echo(context);
    let size = 0;
    for await (const request of requests) size += request.payload ? request.payload.body.length : 0;
    return { aggregatedPayloadSize: size };
  },
  async* streamingOutputCall(request, context) {
    echo(context);
    check(request);
    yield* replies(request.responseParameters);
  },
  async* fullDuplexCall(requests, context) {
    echo(context);
    for await (const request of requests) {
      check(request);
      yield* replies(request.responseParameters);
    }
  },
  async* halfDuplexCall(requests, context) {
    echo(context);
    const wanted = [];
    for await (const request of requests) {
      check(request);
      wanted.push(...request.responseParameters);
    }
    yield* replies(wanted);
  },
};

const handler = connectNodeAdapter({
  routes: (router) => router.service(TestService, service), connect: false, grpcWeb: false });
const options = { maxSessionMemory: 1000 }; // MB
const read = (name) => fs.readFileSync(`${process.env.INTEROP_TLS}/${name}`);
const server = transport === 'tls' ?
  http2.createSecureServer({ ...options, cert: read('server.pem'), key: read('server.key') }, handler) :
  http2.createServer(options, handler);
server.listen(Number(port), '127.0.0.1');
