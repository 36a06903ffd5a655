/*
 * grpc.testing.TestService, as the interop cases want it.
 */
#ifndef INTEROP_SERVICE_H
#define INTEROP_SERVICE_H

#include "grpc/testing/test.pgrpc.h"

/* Method for method; UnimplementedCall is not there. */
extern const struct Grpc__Testing__TestService_handlers service_handlers;

/* Echoes x-grpc-test-echo-initial as a header and x-grpc-test-echo-trailing-bin as a trailer,
 * of every method that there is. */
extern const struct pgrpc_interceptor service_echo;

/* --- between the service's files --- */

/* The methods with streams; they run on workers. */
void service_streaming_output_call(struct pgrpc_call *call,
                                   const Grpc__Testing__StreamingOutputCallRequest *request,
                                   void *userdata);
void service_streaming_input_call(struct pgrpc_call *call, void *userdata);
void service_full_duplex_call(struct pgrpc_call *call, void *userdata);
void service_half_duplex_call(struct pgrpc_call *call, void *userdata);

/*
 * Ends |call| when the message received last is not as |expected| (NULL: anything goes) says.
 * True when the call was ended.
 */
bool service_refuses_message(struct pgrpc_call *call, const Grpc__Testing__BoolValue *expected);
/* Ends |call| with the status that was asked for. True when the call was ended. */
bool service_ends_as_asked(struct pgrpc_call *call, const Grpc__Testing__EchoStatus *asked);
/* Ends |call| when there is no such reply. True when the call was ended. */
bool service_refuses_reply(struct pgrpc_call *call, Grpc__Testing__PayloadType type, int size);

#endif
