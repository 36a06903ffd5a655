#include "fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit lifted;

size_t open_fd_count(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder itself */
}

void fd_limit_set(size_t count)
{
    struct rlimit limit;
    int limit_fd = 0;
    getrlimit(RLIMIT_NOFILE, &lifted);
    /* The limit is on numbers, and numbers may have holes. */
    for (;; limit_fd++) {
        if (fcntl(limit_fd, F_GETFD) < 0 && count-- == 0)
            break;
    }
    limit = lifted;
    limit.rlim_cur = (rlim_t)limit_fd;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void fd_limit_lift(void)
{
    setrlimit(RLIMIT_NOFILE, &lifted);
}
