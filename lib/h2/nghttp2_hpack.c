#include <nghttp2/nghttp2.h>

#include <errno.h>

#include "h2/hpack.h"

enum { TABLE_BYTES = 4096, FIELDS_LOCAL = 32 };

struct hpack {
    nghttp2_mem mem;
    nghttp2_hd_inflater *inflater;
    nghttp2_hd_deflater *deflater;
    uint32_t decoder_generation;
    uint32_t encoder_generation;
    bool is_in_block; /* decoding */
};

/* --- memory ----------------------------------------------------------------------------------- */

static void *hook_malloc(size_t size, void *userdata)
{
    return pgrpc__mem_alloc(userdata, size);
}

static void hook_free(void *pointer, void *userdata)
{
    pgrpc__mem_free(userdata, pointer);
}

static void *hook_calloc(size_t count, size_t size, void *userdata)
{
    return pgrpc__mem_calloc(userdata, count, size);
}

static void *hook_realloc(void *pointer, size_t size, void *userdata)
{
    return pgrpc__mem_realloc(userdata, pointer, size);
}

/* --- life ------------------------------------------------------------------------------------- */

int pgrpc__hpack_new(struct mem *mem, struct hpack **made)
{
    struct hpack *hpack = pgrpc__mem_calloc(mem, 1, sizeof(*hpack));
    if (!hpack)
        return -ENOMEM;
    hpack->mem = (nghttp2_mem){mem, hook_malloc, hook_free, hook_calloc, hook_realloc};
    if (nghttp2_hd_inflate_new2(&hpack->inflater, &hpack->mem) != 0 ||
        nghttp2_hd_deflate_new2(&hpack->deflater, TABLE_BYTES, &hpack->mem) != 0) {
        pgrpc__hpack_free(hpack);
        return -ENOMEM;
    }
    *made = hpack;
    return 0;
}

void pgrpc__hpack_free(struct hpack *hpack)
{
    if (!hpack)
        return;
    if (hpack->inflater)
        nghttp2_hd_inflate_del(hpack->inflater);
    if (hpack->deflater)
        nghttp2_hd_deflate_del(hpack->deflater);
    pgrpc__mem_free(hpack->mem.mem_user_data, hpack);
}

/* --- blocks ----------------------------------------------------------------------------------- */

int pgrpc__hpack_decode(struct hpack *hpack, const uint8_t *data, size_t len, bool is_last,
                        hpack_field_fn *on_field, void *userdata)
{
    /* Of a block in pieces only the decoder knows what it does. */
    bool is_known = is_last && !hpack->is_in_block && !pgrpc__hpack_changes_table(data, len);
    if (!is_known)
        hpack->decoder_generation++;
    hpack->is_in_block = !is_last;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(hpack->inflater, &nv, &flags, data, len, is_last);
        if (used < 0)
            return used == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EBADMSG;
        data += used;
        len -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            struct header_field field = {(const char *)nv.name, (const char *)nv.value, nv.namelen,
                                         nv.valuelen, (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0};
            int error = on_field(userdata, &field);
            if (error)
                return error;
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(hpack->inflater);
            return 0;
        }
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && len == 0)
            return 0;
    }
}

uint32_t pgrpc__hpack_decoder_generation(const struct hpack *hpack)
{
    return hpack->decoder_generation;
}

size_t pgrpc__hpack_bound(const struct header_field *fields, size_t count)
{
    /* Two changes of the table's size, then for each field one index and two lengths. */
    size_t bound = 12;
    for (size_t i = 0; i < count; i++)
        bound += 18 + fields[i].name_len + fields[i].value_len;
    return bound;
}

ssize_t pgrpc__hpack_encode(struct hpack *hpack, const struct header_field *fields, size_t count,
                            uint8_t *block, size_t cap)
{
    nghttp2_nv local[FIELDS_LOCAL], *list = local;
    struct mem *mem = hpack->mem.mem_user_data;

    local[0] = (nghttp2_nv){NULL, NULL, 0, 0, NGHTTP2_NV_FLAG_NONE};
    if (count > FIELDS_LOCAL) {
        list = pgrpc__mem_calloc(mem, count, sizeof(*list));
        if (!list)
            return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct header_field *field = &fields[i];
        list[i] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)field->name, (uint8_t *)(uintptr_t)field->value,
                         field->name_len, field->value_len,
                         field->is_sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
    }
    ssize_t len = nghttp2_hd_deflate_hd(hpack->deflater, block, cap, list, count);
    if (list != local)
        pgrpc__mem_free(mem, list);
    if (len < 0)
        return -ENOMEM;
    if (pgrpc__hpack_changes_table(block, (size_t)len))
        hpack->encoder_generation++;
    return len;
}

uint32_t pgrpc__hpack_encoder_generation(const struct hpack *hpack)
{
    return hpack->encoder_generation;
}

int pgrpc__hpack_set_encoder_table(struct hpack *hpack, uint32_t bytes)
{
    hpack->encoder_generation++;
    return nghttp2_hd_deflate_change_table_size(hpack->deflater, bytes) == 0 ? 0 : -ENOMEM;
}

/* --- texts ------------------------------------------------------------------------------------ */

static const uint8_t *bytes_of(const char *text)
{
    return (const uint8_t *)text;
}

bool pgrpc__hpack_is_name(const char *text, size_t len)
{
    return nghttp2_check_header_name(bytes_of(text), len) != 0;
}

bool pgrpc__hpack_is_value(const char *text, size_t len)
{
    return nghttp2_check_header_value(bytes_of(text), len) != 0;
}

bool pgrpc__hpack_is_method(const char *text, size_t len)
{
    return nghttp2_check_method(bytes_of(text), len) != 0;
}

bool pgrpc__hpack_is_path(const char *text, size_t len)
{
    return nghttp2_check_path(bytes_of(text), len) != 0;
}

bool pgrpc__hpack_is_authority(const char *text, size_t len)
{
    return nghttp2_check_authority(bytes_of(text), len) != 0;
}
