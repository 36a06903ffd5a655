/*
 * RouteChat: every note is answered by the earlier notes of its place, while more notes come.
 *
 * At any time the call either has notes to send, and then goes on when there is room, or has none,
 * and then goes on when there is something to receive.  A client that does not read its answers is
 * not read either.
 */
#include "guide.h"

#include <stdbool.h>
#include <string.h>

enum { NOTES_MAX = 1000, NOTE_LEN_MAX = 99 };

/* The notes of all clients, in the order in which they came. */
static struct note {
    int x, y;
    char text[NOTE_LEN_MAX + 1];
} notes[NOTES_MAX];
static int note_count;

struct chat {
    int next; /* the note to look at: an answer when it is of the same place ... */
    int end;  /* ... as this one, which was received last */
};

/* Sends the answers that are left. DONE when all were sent. */
static enum pgrpc_io answer(struct pgrpc_call *call, struct chat *chat)
{
    Routeguide__Point location = {0};
    Routeguide__RouteNote reply = {.location = &location};
    enum pgrpc_io io = PGRPC_IO_DONE;
    while (io == PGRPC_IO_DONE && chat->next < chat->end) {
        struct note *note = &notes[chat->next];
        location.x = note->x;
        location.y = note->y;
        reply.message = note->text;
        if (note->x == notes[chat->end].x && note->y == notes[chat->end].y)
            io = Routeguide__RouteGuide__route_chat__send_reply(call, &reply);
        if (io == PGRPC_IO_DONE)
            chat->next++;
    }
    return io;
}

/* Keeps a note and looks for its answers. False when it ended the call instead. */
static bool take(struct pgrpc_call *call, struct chat *chat, const Routeguide__RouteNote *note)
{
    size_t len = strlen(note->message);
    if (!note->location || len > NOTE_LEN_MAX) {
        pgrpc_call_finish(call, PGRPC_INVALID_ARGUMENT,
                          "a note has a location and at most %d bytes", NOTE_LEN_MAX);
        return false;
    }
    if (note_count == NOTES_MAX) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "the map is full of notes");
        return false;
    }
    notes[note_count].x = note->location->x;
    notes[note_count].y = note->location->y;
    memcpy(notes[note_count].text, note->message, len + 1);
    chat->next = 0;
    chat->end = note_count++;
    return true;
}

static void chat_more(struct pgrpc_call *call, void *userdata)
{
    struct chat *chat = userdata;
    const Routeguide__RouteNote *note;
    enum pgrpc_io io;
    while ((io = answer(call, chat)) == PGRPC_IO_DONE &&
           (io = Routeguide__RouteGuide__route_chat__recv_request(call, &note)) == PGRPC_IO_DONE)
        if (!take(call, chat, note))
            return;
    if (io != PGRPC_IO_AGAIN)
        pgrpc_call_finish(call, PGRPC_OK, NULL);
}

void guide_route_chat(struct pgrpc_call *call, void *userdata)
{
    const struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = chat_more, .on_writable = chat_more};
    struct chat *chat = pgrpc_call_alloc(call, sizeof(*chat));
    (void)userdata;
    if (!chat) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    chat->next = chat->end = 0;
    pgrpc_call_set_events(call, &events, chat);
}
