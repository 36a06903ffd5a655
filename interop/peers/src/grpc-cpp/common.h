// What the client and the server share: payloads, and how a message came.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <unistd.h>

#include <grpcpp/grpcpp.h>

#include "grpc/testing/test.grpc.pb.h"

// Exported for the interop programs, without a public header.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

// Whether the message that a call received last came compressed: the library's flag of one that it
// decompressed.
template <class Context> bool came_compressed(Context &context)
{
    return grpc_call_test_only_get_message_flags(context.c_call()) & 0x40000000U;
}

enum { MESSAGE_MAX = 20 << 20, METADATA_MAX = 256 << 10 };

static const char INITIAL[] = "x-grpc-test-echo-initial";
static const char TRAILING[] = "x-grpc-test-echo-trailing-bin";

inline void set_zeros(grpc::testing::Payload *payload, int size)
{
    payload->set_body(std::string(static_cast<size_t>(size), '\0'));
}

inline std::string file(const char *name)
{
    const char *folder = getenv("INTEROP_TLS");
    std::ifstream in(std::string(folder ? folder : ".") + "/" + name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}
