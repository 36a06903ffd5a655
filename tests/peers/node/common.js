'use strict';
// What the grpc-js server and client share.

const path = require('path');
const zlib = require('zlib');

// grpc-js hides from its users whether a message was compressed; it unpacks each one with this function.
let unpacked = 0;
const createGunzip = zlib.createGunzip;
Object.defineProperty(zlib, 'createGunzip', {
  value(...args) {
    unpacked++;
    return createGunzip(...args);
  },
});

// The packages are in the folder where `prepare` put them.
const modules = { paths: [process.env.PICOGRPC_PEER_DIR] };
const grpc = require(require.resolve('@grpc/grpc-js', modules));
const loader = require(require.resolve('@grpc/proto-loader', modules));

const definition = loader.loadSync(path.join(__dirname, '..', 'peertest.proto'),
    { keepCase: true, longs: Number, defaults: true });
const peertest = grpc.loadPackageDefinition(definition).picogrpc.peertest;

const PATTERN = Buffer.from(Array.from({ length: 251 }, (_, i) => i));

module.exports = {
  grpc,
  peertest,
  message: (name) => definition[`picogrpc.peertest.${name}`],
  // The payload of n bytes: byte i is i % 251.
  pattern: (n) => Buffer.alloc(n, PATTERN),
  sum: (payload) => payload.reduce((sum, byte) => (sum + byte) >>> 0, 0),
  // How many messages arrived compressed since the last question; enough where one call at a time uses gzip.
  receivedCompressed() {
    const count = unpacked;
    unpacked = 0;
    return count;
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
