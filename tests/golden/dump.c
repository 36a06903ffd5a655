/* Writes the descriptors embedded in two stubs as a google.protobuf.FileDescriptorSet each, in the
 * order of protoc's: imports first. */
#include <stdio.h>
#include <string.h>

#include "imports.pgrpc.h"
#include "proto2.pgrpc.h"

static void write_file(const struct pgrpc_file *file)
{
    size_t rest = file->len;
    putchar(1 << 3 | 2);
    for (; rest > 0x7f; rest >>= 7)
        putchar((int)(rest & 0x7f) | 0x80);
    putchar((int)rest);
    fwrite(file->data, 1, file->len, stdout);
}

static void write_set(const struct pgrpc_file *files, size_t count)
{
    for (size_t i = 1; i < count; i++)
        write_file(&files[i]);
    write_file(&files[0]);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[1], "imports") == 0)
        write_set(pgrpc_files_imports_2eproto,
                  sizeof(pgrpc_files_imports_2eproto) / sizeof(pgrpc_files_imports_2eproto[0]));
    else
        write_set(pgrpc_files_proto2_2eproto,
                  sizeof(pgrpc_files_proto2_2eproto) / sizeof(pgrpc_files_proto2_2eproto[0]));
    return 0;
}
