#include "names.h"

#include <string.h>

/* The locale's opinion on letters is not wanted. */
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_upper(char c)
{
    return is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

const char *names_join(struct pool *pool, const char *scope, const char *name)
{
    return *scope ? pool_printf(pool, "%s.%s", scope, name) : name;
}

const char *names_in_c_package(struct pool *pool, const char *full_name, const char *package,
                               const char *c_package)
{
    if (!c_package || pool->failed) /* then |full_name| may be shorter than its package */
        return full_name;
    size_t package_len = strlen(package);
    if (package_len > 0)
        package_len++; /* the dot */
    return pool_printf(pool, "%s.%s", c_package, full_name + package_len);
}

/* |full_name| part by part, with "__" between.  Empty parts (of a c_package) do not count. */
static const char *convert(struct pool *pool, const char *full_name,
                           void (*add)(struct text *text, const char *part, size_t len))
{
    struct text text = {.pool = pool};
    while (*full_name) {
        size_t len = strcspn(full_name, ".");
        if (len > 0) {
            if (text.len > 0)
                text_add(&text, "__", 2);
            add(&text, full_name, len);
        }
        full_name += len;
        full_name += *full_name == '.';
    }
    return text_string(&text);
}

static void add_type(struct text *text, const char *part, size_t len)
{
    bool raise = true;
    for (size_t i = 0; i < len; i++) {
        if (part[i] == '_') {
            raise = true;
        } else {
            char c = raise ? to_upper(part[i]) : part[i];
            text_add(text, &c, 1);
            raise = false;
        }
    }
}

static void add_words(struct text *text, const char *part, size_t len, char (*change)(char c))
{
    bool was_upper = true; /* no '_' in front */
    for (size_t i = 0; i < len; i++) {
        if (is_upper(part[i]) && !was_upper)
            text_add(text, "_", 1);
        was_upper = is_upper(part[i]);
        char c = change(part[i]);
        text_add(text, &c, 1);
    }
}

static void add_lower(struct text *text, const char *part, size_t len)
{
    add_words(text, part, len, to_lower);
}

static void add_upper(struct text *text, const char *part, size_t len)
{
    add_words(text, part, len, to_upper);
}

const char *names_type(struct pool *pool, const char *full_name)
{
    return convert(pool, full_name, add_type);
}

const char *names_lower(struct pool *pool, const char *full_name)
{
    return convert(pool, full_name, add_lower);
}

const char *names_upper(struct pool *pool, const char *full_name)
{
    return convert(pool, full_name, add_upper);
}

const char *names_path(struct pool *pool, const char *path)
{
    struct text text = {.pool = pool};
    for (; *path; path++) {
        if (is_upper(*path) || is_lower(*path) || is_digit(*path))
            text_add(&text, path, 1);
        else
            text_printf(&text, "_%02x", (unsigned)(unsigned char)*path);
    }
    return text_string(&text);
}

const char *names_stem(struct pool *pool, const char *path)
{
    static const char *const suffixes[] = {".protodevel", ".proto"};
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t suffix_len = strlen(suffixes[i]);
        if (len >= suffix_len && strcmp(path + len - suffix_len, suffixes[i]) == 0)
            return pool_printf(pool, "%.*s", (int)(len - suffix_len), path);
    }
    return path;
}

bool names_is_identifier(const char *name)
{
    if (!*name || is_digit(*name))
        return false;
    for (; *name; name++)
        if (!is_upper(*name) && !is_lower(*name) && !is_digit(*name) && *name != '_')
            return false;
    return true;
}

/* |words| begin and end with a space. */
static bool is_among(const char *words, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = words + 1; len > 0 && (at = strstr(at, name)); at++)
        if (at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}

bool names_is_cxx_keyword(const char *name)
{
    static const char words[] =
        " char16_t char32_t char8_t co_await co_return co_yield concept consteval constinit "
        "decltype export noexcept requires "
        /* a struct of C++ cannot call a member like a type that it uses */
        "int32_t int64_t protobuf_c_boolean size_t uint32_t uint64_t ";
    return is_among(words, name);
}

/* What cannot be a member in some C.  Names that only a rare header makes a macro, or a macro that
 * stands for itself (stdin), are not among them: protobuf-c leaves these as they are. */
static bool is_word(const char *name)
{
    static const char words[] =
        /* C11 */
        " auto break case char const continue default do double else enum extern float for goto if "
        "inline int long register restrict return short signed sizeof static struct switch typedef "
        "union unsigned void volatile while "
        /* C23 and GNU */
        "alignas alignof asm bool constexpr false nullptr static_assert thread_local true typeof "
        "typeof_unqual "
        /* C++, those of protobuf-c's list */
        "and and_eq bitand bitor catch class compl const_cast delete dynamic_cast explicit friend "
        "mutable namespace new not not_eq operator or or_eq private protected public "
        "reinterpret_cast static_cast template this throw try typeid typename using virtual "
        "wchar_t xor xor_eq "
        /* macros that no program is without */
        "errno linux unix ";
    return is_among(words, name);
}

bool names_is_taken(const char *name)
{
    return is_word(name) || names_is_cxx_keyword(name) ||
           is_among(" complex i386 imaginary noreturn stderr stdin stdout ", name);
}

const char *names_member(struct pool *pool, const char *field)
{
    struct text text = {.pool = pool};
    for (; *field; field++) {
        char c = to_lower(*field);
        text_add(&text, &c, 1);
    }
    const char *name = text_string(&text);
    if (is_word(name))
        text_add(&text, "_", 1);
    return text_string(&text);
}
