/* The service routeguide.RouteGuide: what it does, apart from the program that serves it. */
#ifndef GUIDE_H
#define GUIDE_H

#include "route_guide.pgrpc.h"

/* Its handlers keep to the loop's thread: the server must have one loop, the default. */
enum pgrpc_code guide_register(struct pgrpc_server *server);

/* The handler of RouteChat, in chat.c. */
void guide_route_chat(struct pgrpc_call *call, void *userdata);

#endif
