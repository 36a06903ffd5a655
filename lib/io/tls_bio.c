/* OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE; this one uses a byte stream.
 */
#include <errno.h>

#include "io/tls_parts.h"

static int bio_read(BIO *handle, char *data, int len)
{
    struct tls_bio *bio = BIO_get_data(handle);
    BIO_clear_retry_flags(handle);
    if (len <= 0 || bio->is_at_end)
        return 0;
    ssize_t got = bio->inner->ops->read(bio->inner, data, (size_t)len);
    if (got > 0)
        return (int)got;
    if (got == 0)
        bio->is_at_end = true;
    else if (got == -EAGAIN)
        BIO_set_retry_read(handle);
    else
        bio->error = (int)got;
    return got == 0 ? 0 : -1;
}

static int bio_write(BIO *handle, const char *data, int len)
{
    struct tls_bio *bio = BIO_get_data(handle);
    struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = (size_t)len};
    BIO_clear_retry_flags(handle);
    if (len <= 0)
        return 0;
    ssize_t taken = bio->inner->ops->writev(bio->inner, &vector, 1);
    if (taken > 0)
        return (int)taken;
    if (taken == -EAGAIN)
        BIO_set_retry_write(handle);
    else
        bio->error = (int)taken;
    return -1;
}

static long bio_control(BIO *handle, int command, long number, void *pointer)
{
    struct tls_bio *bio = BIO_get_data(handle);
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return bio->is_at_end;
    default:
        return 0;
    }
}

BIO_METHOD *pgrpc__tls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "byte stream");
    if (method && BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) &&
        BIO_meth_set_ctrl(method, bio_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

BIO *pgrpc__tls_bio_new(const BIO_METHOD *method, struct tls_bio *bio)
{
    BIO *handle = BIO_new(method);
    if (handle) {
        BIO_set_data(handle, bio);
        BIO_set_init(handle, 1);
    }
    return handle;
}
