/* How many file descriptors this process has open: the same before and after is no leak. */
#ifndef TESTS_FDS_H
#define TESTS_FDS_H

#include <stddef.h>

size_t open_fd_count(void);

/* Lets the next |count| descriptors be opened and no more (EMFILE), until fd_limit_lift. */
void fd_limit_set(size_t count);
void fd_limit_lift(void);

#endif
