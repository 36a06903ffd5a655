/*
 * A server and a channel to it on one loop, for tests of the services that come with the library.
 *
 *     struct served served;
 *     assert_true(served_init(&served, 0, NULL));
 *     pgrpc_health_register(served.server, &health);
 *     assert_true(served_start(&served, NULL));
 *     served_call(&served, &call, &method, &request, note);
 *     served_run(&served);
 *     assert_string_equal(call.log, "SERVING\nOK\n");
 *     served_clear(&served);                           checks that nothing leaked
 *
 * Functions that can fail say so with false, as far as the allocator was told to.
 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include "engine_choice.h"
#include "faulty_allocator.h"
#include "picogrpc/picogrpc.h"

struct served {
    struct faulty_allocator faulty;
    struct pgrpc_loop *loop;
    struct pgrpc_server *server;
    struct pgrpc_channel *channel;
};

/* Makes a loop and a server; the |fail_at|-th allocation fails (0: none). */
bool served_init(struct served *served, size_t fail_at, const struct pgrpc_server_options *options);
/* Starts the server and makes the channel. */
bool served_start(struct served *served, const struct pgrpc_channel_options *options);
/* Turns the loop until nothing happens any more. */
void served_run(struct served *served);
/* Frees all of it, in any state, and checks that no memory is left. */
void served_clear(struct served *served);

struct served_call;
/* Writes what is worth knowing of a reply with served_note. */
typedef void served_note_fn(struct served_call *call, const void *reply);

/* A client call and what came of it: a line for each message, at last the status. */
struct served_call {
    struct pgrpc_call *call; /* a reference, dropped by served_call_clear */
    served_note_fn *note;
    bool holds_back; /* messages are left unread */
    bool is_done;
    size_t message_count;
    enum pgrpc_code code;
    size_t log_len;
    char log[64 * 1024];
};

/* Starts |method|; |request| is NULL for client streaming.  False when out of memory. */
bool served_call(struct served *served, struct served_call *call, const struct pgrpc_method *method,
                 const void *request, served_note_fn *note);
void served_note(struct served_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reads what is there. */
void served_call_read(struct served_call *call);
/* Forgets what was logged. */
void served_call_reset(struct served_call *call);
/* Cancels the call if it is not over; turn the loop before the struct goes. */
void served_call_clear(struct served_call *call);

#endif
