#include "picogrpc/export.h"

const char *pgrpc_version(void)
{
    return PGRPC_VERSION;
}
