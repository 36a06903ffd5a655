#include "emit.h"

#include <string.h>

enum { INDENT = 4 };

/* --- templates -------------------------------------------------------------------------------- */

static void add_name(struct text *out, const struct emit_scope *scope, char letter)
{
    switch (letter) {
    case 'B':
        text_add_string(out, scope->message->base);
        break;
    case 'F':
        text_add_string(out, scope->file->ident);
        break;
    case 'H':
        text_add_string(out, scope->method->member);
        break;
    case 'I':
        text_printf(out, "%zu", scope->method->index);
        break;
    case 'L':
        text_add_string(out, scope->message->type->lower);
        break;
    case 'M':
        text_add_string(out, scope->method->c_name);
        break;
    case 'N':
        text_add_string(out, scope->service->full_name);
        break;
    case 'P':
        text_add_string(out, scope->method->name);
        break;
    case 'Q':
        text_add_string(out, scope->method->request->c_name);
        break;
    case 'q':
        text_add_string(out, scope->method->request->descriptor);
        break;
    case 'R':
        text_add_string(out, scope->method->reply->c_name);
        break;
    case 'r':
        text_add_string(out, scope->method->reply->descriptor);
        break;
    case 'S':
        text_add_string(out, scope->service->c_name);
        break;
    case 'T':
        text_add_string(out, scope->message->type->c_name);
        break;
    case 'U':
        text_add_string(out, scope->message->type->upper);
        break;
    case 'X':
        text_add_string(out, (scope->file ? scope->file : scope->message->type->file)->export);
        break;
    }
}

/* Up to the next place where a line may be broken: behind a parenthesis or a comma. */
static size_t piece_len(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] == '(' || (line[i] == ',' && i + 1 < len && line[i + 1] == ' '))
            return i + 1;
    return len;
}

static void add_line(struct text *out, const char *line, size_t len)
{
    size_t indent = strspn(line, " ");
    size_t column = 0;
    while (len > 0) {
        size_t piece = piece_len(line, len);
        if (column > 0 && column + piece > EMIT_COLUMNS) {
            while (*line == ' ') {
                line++;
                piece--;
                len--;
            }
            text_printf(out, "\n%*s", (int)(indent + INDENT), "");
            column = indent + INDENT;
        }
        text_add(out, line, piece);
        column += piece;
        line += piece;
        len -= piece;
    }
}

void emit(struct text *out, const struct emit_scope *scope, const char *form)
{
    struct text text = {.pool = out->pool};
    for (; *form; form++) {
        if (*form == '$')
            add_name(&text, scope, *++form);
        else
            text_add(&text, form, 1);
    }
    for (const char *line = text_string(&text); *line;) {
        size_t len = strcspn(line, "\n");
        add_line(out, line, len);
        line += len;
        if (*line == '\n') {
            text_add(out, "\n", 1);
            line++;
        }
    }
}

/* --- comments --------------------------------------------------------------------------------- */

void emit_harmless(struct text *out, const char *words, size_t len)
{
    char before = '*'; /* what was written last */
    for (size_t i = 0; i < len; i++) {
        const unsigned char *u = (const unsigned char *)words + i;
        bool turns_text = len - i >= 3 && u[0] == 0xe2 &&
                          ((u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) ||
                           (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9));
        if (turns_text) { /* U+202A..U+202E, U+2066..U+2069 */
            i += 2;
            continue;
        }
        char c = u[0] < ' ' ? ' ' : words[i];
        if ((before == '*' && c == '/') || (before == '/' && c == '*') ||
            (before == '?' && c == '?'))
            text_add(out, " ", 1);
        text_add(out, &c, 1);
        before = c;
    }
}

static void add_comment_lines(struct text *out, const char *words)
{
    words += *words == '*'; /* what protoc leaves of the beginning of a doc comment */
    words += strspn(words, "\r\n");
    while (*words) {
        size_t len = strcspn(words, "\n");
        size_t trimmed = len;
        while (trimmed > 0 && strchr(" \t\r", words[trimmed - 1]))
            trimmed--;
        if (trimmed > 0) {
            text_add_string(out, words[0] == ' ' ? " *" : " * ");
            emit_harmless(out, words, trimmed);
            text_add(out, "\n", 1);
        } else if (words[len + strspn(words + len, " \t\r\n")]) {
            text_add_string(out, " *\n");
        }
        words += len;
        words += *words == '\n';
    }
}

void emit_comment(struct text *out, const char *title, const char *words, bool is_deprecated)
{
    const char *separator = "";
    bool has_words = words[strspn(words, "* \t\r\n")];
    if (!title && !is_deprecated && !has_words)
        return;
    text_add_string(out, "/*\n");
    if (title) {
        text_printf(out, " * %s\n", title);
        separator = " *\n";
    }
    if (is_deprecated) {
        text_printf(out, "%s * Deprecated.\n", separator);
        separator = " *\n";
    }
    if (has_words) {
        text_add_string(out, separator);
        add_comment_lines(out, words);
    }
    text_add_string(out, " */\n");
}

/* --- pieces of files -------------------------------------------------------------------------- */

void emit_quoted(struct text *out, const char *bytes, size_t len)
{
    text_add(out, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\' || c == '?')
            text_printf(out, "\\%03o", (unsigned)c);
        else
            text_add(out, bytes + i, 1);
    }
    text_add(out, "\"", 1);
}

void emit_top(struct text *out, const struct model_file *file)
{
    text_add_string(out, "/* Generated by protoc-gen-picogrpc from ");
    emit_harmless(out, file->name, strlen(file->name));
    text_add_string(out, ". Do not edit. */\n");
}

void emit_banner(struct text *out, const char *title)
{
    text_printf(out, "/* --- %s -", title);
    for (size_t column = strlen(title) + 9; column < EMIT_COLUMNS - 3; column++)
        text_add(out, "-", 1);
    text_add_string(out, " */\n");
}

/* --- functions -------------------------------------------------------------------------------- */

static void emit_signature(struct text *out, const struct emit_scope *scope,
                           const struct emit_function *function, const char *end)
{
    emit(out, scope,
         pool_printf(out->pool, "%s$M%s(%s)%s", function->returns, function->verb,
                     function->parameters, end));
}

void emit_prototypes(struct text *out, const struct emit_scope *scope,
                     const struct emit_function *functions)
{
    for (; functions->parameters; functions++) {
        if (!(functions->kinds & scope->method->kind))
            continue;
        text_printf(out, "/* %s */\n", functions->comment);
        emit(out, scope, "$X");
        emit_signature(out, scope, functions, ";\n");
    }
}

void emit_definitions(struct text *out, const struct emit_scope *scope,
                      const struct emit_function *functions)
{
    for (; functions->parameters; functions++) {
        if (!(functions->kinds & scope->method->kind))
            continue;
        emit_signature(out, scope, functions, "\n{\n");
        for (const char *line = functions->body; *line;) {
            size_t len = strcspn(line, "\n");
            emit(out, scope, pool_printf(out->pool, "    %.*s\n", (int)len, line));
            line += len;
            line += *line == '\n';
        }
        emit(out, scope, "}\n\n");
    }
}
