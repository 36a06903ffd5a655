'use strict';
// What the client and the server share. The packages are in the folder that the script installed.

const path = require('path');
const modules = { paths: [process.argv[2]] };
const grpc = require(require.resolve('@grpc/grpc-js', modules));
const loader = require(require.resolve('@grpc/proto-loader', modules));

const protos = path.join(__dirname, '..', '..', '..', 'proto');
const definition = loader.loadSync('grpc/testing/test.proto',
    { includeDirs: [protos], keepCase: true, longs: Number, defaults: true });

module.exports = {
  grpc,
  testing: grpc.loadPackageDefinition(definition).grpc.testing,
  INITIAL: 'x-grpc-test-echo-initial',
  TRAILING: 'x-grpc-test-echo-trailing-bin',
  MESSAGE_MAX: (16 << 20) + 1024,
  zeros: (size) => ({ type: 0, body: Buffer.alloc(size) }),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
