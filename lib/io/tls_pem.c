/* PEM from files and memory. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/error_text.h"
#include "io/tls_parts.h"

enum { FILE_LEN_MAX = 4 * 1024 * 1024 }; /* the store of a distribution has 200 KiB */

void pgrpc__pem_clear(struct pem *pem)
{
    if (pem->owned) {
        OPENSSL_cleanse(pem->owned, pem->len); /* it may be a key */
        pgrpc__raw_free(&pgrpc__default_allocator, pem->owned);
    }
    memset(pem, 0, sizeof(*pem));
}

/* Reads |len| bytes, less at the end of the file. How many, or a negative errno. */
static ssize_t read_all(int fd, char *data, size_t len)
{
    size_t total = 0;
    while (total < len) {
        ssize_t got = read(fd, data + total, len - total);
        if (got == 0)
            break;
        if (got > 0)
            total += (size_t)got;
        else if (errno != EINTR)
            return -errno;
    }
    return (ssize_t)total;
}

/* 0 or a negative errno. */
static int read_file(int fd, struct pem *pem)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size > FILE_LEN_MAX)
        return -EFBIG;
    /* What is no regular file (a shell's pipe) does not know its size. */
    size_t size = S_ISREG(status.st_mode) ? (size_t)status.st_size : FILE_LEN_MAX;
    pem->owned = pgrpc__raw_alloc(&pgrpc__default_allocator, size + 1);
    if (!pem->owned)
        return -ENOMEM;
    ssize_t len = read_all(fd, pem->owned, size);
    if (len < 0)
        return (int)len;
    pem->data = pem->owned;
    pem->len = (size_t)len;
    return 0;
}

static enum pgrpc_code load_file(const char *path, struct pem *pem, struct pgrpc_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = fd < 0 ? -errno : read_file(fd, pem);
    if (fd >= 0)
        close(fd);
    if (result == 0)
        return PGRPC_OK;
    pgrpc__pem_clear(pem);
    if (result == -ENOMEM)
        return pgrpc__tls_refuse_memory(error);
    return pgrpc__tls_refuse(error, PGRPC_FAILED_PRECONDITION, "reading %.150s: %s", path,
                             pgrpc__error_text(result));
}

enum pgrpc_code pgrpc__pem_load(const char *option, const char *file, const char *text,
                                struct pem *pem, struct pgrpc_error *error)
{
    memset(pem, 0, sizeof(*pem));
    if (file && text)
        return pgrpc__tls_refuse(error, PGRPC_INVALID_ARGUMENT, "%s_file and %s_pem are both set",
                                 option, option);
    pem->what = file ? file : option;
    if (file)
        return load_file(file, pem, error);
    if (text) {
        pem->data = text;
        pem->len = strlen(text);
        if (pem->len > FILE_LEN_MAX)
            return pgrpc__tls_refuse(error, PGRPC_INVALID_ARGUMENT, "%s_pem is too long", option);
    }
    return PGRPC_OK;
}

/* Without it OpenSSL would ask for a password on the terminal. */
static int refuse_password(char *buffer, int size, int is_writing, void *was_asked)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    if (was_asked)
        *(bool *)was_asked = true;
    return -1;
}

/* The last read found no further PEM block, which is how the end shows. */
static bool is_at_end(void)
{
    unsigned long last = ERR_peek_last_error();
    return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

enum pgrpc_code pgrpc__pem_each_certificate(const struct pem *pem,
                                            int (*add)(void *userdata, X509 *certificate,
                                                       int index),
                                            void *userdata, struct pgrpc_error *error)
{
    BIO *memory = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *certificate = NULL;
    int count = 0, is_added = 1;

    if (!memory)
        return pgrpc__tls_refuse_memory(error);
    while (is_added == 1 &&
           (certificate = PEM_read_bio_X509(memory, NULL, refuse_password, NULL))) {
        is_added = add(userdata, certificate, count++);
        X509_free(certificate);
    }
    BIO_free(memory);
    if (is_added != 1 || !is_at_end())
        return pgrpc__tls_refuse_ssl(error, pem->what);
    ERR_clear_error();
    return count > 0 ? PGRPC_OK
                     : pgrpc__tls_refuse(error, PGRPC_FAILED_PRECONDITION,
                                         "%.150s: no certificate in it", pem->what);
}

enum pgrpc_code pgrpc__pem_key(const struct pem *pem, EVP_PKEY **key, struct pgrpc_error *error)
{
    bool was_asked = false;
    BIO *memory = BIO_new_mem_buf(pem->data, (int)pem->len);
    if (!memory)
        return pgrpc__tls_refuse_memory(error);
    *key = PEM_read_bio_PrivateKey(memory, NULL, refuse_password, &was_asked);
    BIO_free(memory);
    if (*key) {
        ERR_clear_error();
        return PGRPC_OK;
    }
    if (pgrpc__tls_is_out_of_memory())
        return pgrpc__tls_refuse_memory(error);
    ERR_clear_error();
    return pgrpc__tls_refuse(error, PGRPC_FAILED_PRECONDITION, "%.150s: %s", pem->what,
                             was_asked ? "the private key has a password, which is not supported"
                                       : "no private key in it");
}
