/* The plugin without protoc: requests made by hand, cut off, damaged, too deep, and without memory.
 */
#include "../support/unit.h"

#include <stdlib.h>

#include "descriptor/plugin.pb-c.h"
#include "model.h"
#include "names.h"
#include "plugin.h"

/* --- malloc that fails once ------------------------------------------------------------------- */

static size_t fail_at; /* from 1; 0: never */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    if (fail_at > 0 && --fail_at == 0)
        return NULL;
    return __real_malloc(size);
}

/* --- a request -------------------------------------------------------------------------------- */

enum { REQUEST_MAX = 8192 };

struct request {
    uint8_t bytes[REQUEST_MAX];
    size_t len;
};

static Pb__FieldDescriptorProto field(const char *name, int number,
                                      Pb__FieldDescriptorProto__Label label,
                                      Pb__FieldDescriptorProto__Type type)
{
    Pb__FieldDescriptorProto field = PB__FIELD_DESCRIPTOR_PROTO__INIT;
    field.name = (char *)name;
    field.has_number = field.has_label = field.has_type = 1;
    field.number = number;
    field.label = label;
    field.type = type;
    return field;
}

/* x.proto, which imports y.proto: a message with fields of all shapes within a message, an enum,
 * all kinds of rpcs.  The rpcs are called |first_rpc| and Second to Fourth. */
static void make_request(struct request *request, const char *first_rpc, bool with_source_info)
{
    const Pb__FieldDescriptorProto__Label optional =
        PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL;
    const Pb__FieldDescriptorProto__Label repeated =
        PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
    Pb__FieldDescriptorProto fields[] = {
        field("text", 1, optional, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING),
        field("n_numbers", 4, optional, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES),
        field("numbers", 3, repeated, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM),
        field("one", 9, optional, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE),
        field("export", 8, optional, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT),
        field("bunch", 10, optional, PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP),
    };
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    Pb__FieldDescriptorProto *field_list[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        field_list[i] = &fields[i];
    fields[0].default_value = (char *)"why?";
    fields[1].default_value = (char *)"\\000\\n";
    fields[2].type_name = (char *)".pack.Numbers";
    fields[3].type_name = fields[5].type_name = (char *)".other.Reply";
    fields[3].has_oneof_index = fields[4].has_oneof_index = 1;
    fields[4].default_value = (char *)"inf";
    Pb__OneofDescriptorProto oneof = PB__ONEOF_DESCRIPTOR_PROTO__INIT;
    oneof.name = (char *)"choice";
    Pb__DescriptorProto inner = PB__DESCRIPTOR_PROTO__INIT;
    inner.name = (char *)"Inner";
    inner.n_field = FIELDS;
    inner.field = field_list;
    inner.n_oneof_decl = 1;
    inner.oneof_decl = &(Pb__OneofDescriptorProto *){&oneof};
    Pb__DescriptorProto outer = PB__DESCRIPTOR_PROTO__INIT;
    outer.name = (char *)"Outer";
    outer.n_nested_type = 1;
    outer.nested_type = &(Pb__DescriptorProto *){&inner};
    Pb__EnumValueDescriptorProto value = PB__ENUM_VALUE_DESCRIPTOR_PROTO__INIT;
    value.name = (char *)"ZERO";
    Pb__EnumDescriptorProto numbers = PB__ENUM_DESCRIPTOR_PROTO__INIT;
    numbers.name = (char *)"Numbers";
    numbers.n_value = 1;
    numbers.value = &(Pb__EnumValueDescriptorProto *){&value};

    Pb__MethodDescriptorProto methods[4];
    const char *const names[4] = {first_rpc, "Second", "Third", "Fourth"};
    for (int i = 0; i < 4; i++) {
        methods[i] = (Pb__MethodDescriptorProto)PB__METHOD_DESCRIPTOR_PROTO__INIT;
        methods[i].name = (char *)names[i];
        methods[i].input_type = (char *)".pack.Outer.Inner";
        methods[i].output_type = (char *)".other.Reply";
        methods[i].has_client_streaming = methods[i].client_streaming = i & 1;
        methods[i].has_server_streaming = methods[i].server_streaming = i >> 1;
    }
    Pb__MethodDescriptorProto *method_list[] = {&methods[0], &methods[1], &methods[2], &methods[3]};
    Pb__ServiceDescriptorProto service = PB__SERVICE_DESCRIPTOR_PROTO__INIT;
    service.name = (char *)"Svc";
    service.n_method = 4;
    service.method = method_list;

    Pb__SourceCodeInfo__Location location = PB__SOURCE_CODE_INFO__LOCATION__INIT;
    location.n_path = 4;
    location.path = (int32_t[]){6, 0, 2, 0};
    location.n_span = 3;
    location.span = (int32_t[]){11, 2, 40};
    location.leading_comments = (char *)" What it does.\n";
    Pb__SourceCodeInfo info = PB__SOURCE_CODE_INFO__INIT;
    info.n_location = 1;
    info.location = &(Pb__SourceCodeInfo__Location *){&location};

    Pb__DescriptorProto reply = PB__DESCRIPTOR_PROTO__INIT;
    reply.name = (char *)"Reply";
    Pb__ProtobufCFileOptions protobuf_c = PB__PROTOBUF_CFILE_OPTIONS__INIT;
    protobuf_c.c_package = (char *)"elsewhere";
    Pb__FileOptions options = PB__FILE_OPTIONS__INIT;
    options.pb_c_file = &protobuf_c;
    Pb__FileDescriptorProto imported = PB__FILE_DESCRIPTOR_PROTO__INIT;
    imported.name = (char *)"y.proto";
    imported.package = (char *)"other";
    imported.options = &options;
    imported.n_message_type = 1;
    imported.message_type = &(Pb__DescriptorProto *){&reply};

    Pb__FileDescriptorProto file = PB__FILE_DESCRIPTOR_PROTO__INIT;
    file.name = (char *)"dir/x.proto";
    file.package = (char *)"pack";
    file.n_dependency = 1;
    file.dependency = &(char *){(char *)"y.proto"};
    file.n_message_type = 1;
    file.message_type = &(Pb__DescriptorProto *){&outer};
    file.n_enum_type = 1;
    file.enum_type = &(Pb__EnumDescriptorProto *){&numbers};
    file.n_service = 1;
    file.service = &(Pb__ServiceDescriptorProto *){&service};
    file.source_code_info = with_source_info ? &info : NULL;

    Pb__CodeGeneratorRequest message = PB__CODE_GENERATOR_REQUEST__INIT;
    message.n_file_to_generate = 1;
    message.file_to_generate = &(char *){(char *)"dir/x.proto"};
    message.n_proto_file = 2;
    message.proto_file = (Pb__FileDescriptorProto *[]){&imported, &file};

    request->len = protobuf_c_message_get_packed_size(&message.base);
    assert_true(request->len <= REQUEST_MAX);
    protobuf_c_message_pack(&message.base, request->bytes);
}

/* x.proto: one message with one field, proto2 or of an |edition|. */
static void make_small_request(struct request *request, const char *parameter, int edition,
                               Pb__FieldDescriptorProto *field)
{
    Pb__DescriptorProto message = PB__DESCRIPTOR_PROTO__INIT;
    message.name = (char *)"M";
    message.n_field = 1;
    message.field = &field;
    Pb__SourceCodeInfo__Location location = PB__SOURCE_CODE_INFO__LOCATION__INIT;
    location.n_path = 1;
    location.path = &(int32_t){12};
    location.n_span = 3;
    location.span = (int32_t[]){2, 0, 20};
    Pb__SourceCodeInfo info = PB__SOURCE_CODE_INFO__INIT;
    info.n_location = 1;
    info.location = &(Pb__SourceCodeInfo__Location *){&location};
    Pb__FileDescriptorProto file = PB__FILE_DESCRIPTOR_PROTO__INIT;
    file.name = (char *)"x.proto";
    file.has_edition = edition != 0;
    file.edition = (Pb__Edition)edition;
    file.n_message_type = 1;
    file.message_type = &(Pb__DescriptorProto *){&message};
    file.source_code_info = &info;
    Pb__CodeGeneratorRequest whole = PB__CODE_GENERATOR_REQUEST__INIT;
    whole.parameter = (char *)parameter;
    whole.n_file_to_generate = 1;
    whole.file_to_generate = &(char *){(char *)"x.proto"};
    whole.n_proto_file = 1;
    whole.proto_file = &(Pb__FileDescriptorProto *){&file};
    request->len = protobuf_c_message_get_packed_size(&whole.base);
    assert_true(request->len <= REQUEST_MAX);
    protobuf_c_message_pack(&whole.base, request->bytes);
}

static Pb__CodeGeneratorResponse *decode(const struct text *response)
{
    ProtobufCAllocator allocator = pool_protobuf_allocator(response->pool);
    Pb__CodeGeneratorResponse *decoded = (Pb__CodeGeneratorResponse *)protobuf_c_message_unpack(
        &pb__code_generator_response__descriptor, &allocator, response->len,
        (const uint8_t *)response->data);
    assert_non_null(decoded);
    return decoded;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_request_is_answered_with_four_files(void **state)
{
    struct request request;
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    make_request(&request, "First", true);
    assert_null(plugin_run(request.bytes, request.len, &response));
    const Pb__CodeGeneratorResponse *answer = decode(&response);
    assert_null(answer->error);
    assert_int_equal(answer->supported_features, 3);
    assert_int_equal(answer->minimum_edition, 998);
    assert_true(answer->maximum_edition >= 1002);
    assert_int_equal(answer->n_file, 4);
    assert_string_equal(answer->file[0]->name, "dir/x.pb-c.h");
    assert_string_equal(answer->file[1]->name, "dir/x.pb-c.c");
    assert_string_equal(answer->file[2]->name, "dir/x.pgrpc.h");
    assert_string_equal(answer->file[3]->name, "dir/x.pgrpc.c");
    const char *messages = answer->file[0]->content;
    assert_contains(messages, "#include \"y.pb-c.h\"\n");
    assert_contains(messages, "    Elsewhere__Reply *one;\n");
    assert_contains(messages, "    Elsewhere__Reply *bunch;\n");
    assert_contains(answer->file[1]->content, "NULL, PGRPC_FIELD_DELIMITED,\n");
    assert_contains(answer->file[1]->content, "const ProtobufCMessageDescriptor "
                                              "pack__outer__inner__descriptor = {\n");
    const char *header = answer->file[2]->content;
    assert_contains(header, "#include \"dir/x.pb-c.h\"\n#include \"y.pb-c.h\"\n");
    assert_contains(header, " * rpc First (Outer.Inner) returns (other.Reply)\n"
                            " *\n"
                            " * What it does.\n");
    assert_contains(header, "const Elsewhere__Reply *Pack__Svc__first(");
    assert_contains(answer->file[3]->content, "&elsewhere__reply__descriptor,\n");
    pool_clear(&pool);
}

static void an_error_names_its_place_as_far_as_it_is_known(void **state)
{
    struct request request;
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    make_request(&request, "second", true);
    assert_null(plugin_run(request.bytes, request.len, &response));
    assert_string_equal(decode(&response)->error,
                        "dir/x.proto: rpc Second: the C name Pack__Svc_handlers.second is taken by "
                        "rpc second (dir/x.proto:12:3)");
    pool_clear(&pool);

    response = (struct text){.pool = &pool};
    make_request(&request, "second", false);
    assert_null(plugin_run(request.bytes, request.len, &response));
    assert_string_equal(decode(&response)->error,
                        "dir/x.proto: rpc Second: the C name Pack__Svc_handlers.second is taken by "
                        "rpc second (dir/x.proto)");
    pool_clear(&pool);
}

static void an_edition_is_known_or_refused_with_its_place(void **state)
{
    Pb__FieldDescriptorProto number =
        field("number", 1, PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL,
              PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32);
    struct request request;
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    make_small_request(&request, NULL, PB__EDITION__EDITION_2026, &number);
    assert_null(plugin_run(request.bytes, request.len, &response));
    assert_contains(decode(&response)->file[0]->content, "    protobuf_c_boolean has_number;\n");
    pool_clear(&pool);

    response = (struct text){.pool = &pool};
    make_small_request(&request, NULL, PB__EDITION__EDITION_2026 + 1, &number);
    assert_null(plugin_run(request.bytes, request.len, &response));
    assert_string_equal(decode(&response)->error,
                        "x.proto:3:1: what edition 1003 means for messages is not known yet");
    pool_clear(&pool);
}

static void stubs_alone_are_two_files_and_of_any_edition(void **state)
{
    Pb__FieldDescriptorProto number =
        field("number", 1, PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL,
              PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32);
    struct request request;
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    make_small_request(&request, "stubs", PB__EDITION__EDITION_2026 + 1, &number);
    assert_null(plugin_run(request.bytes, request.len, &response));
    const Pb__CodeGeneratorResponse *answer = decode(&response);
    assert_null(answer->error);
    assert_int_equal(answer->n_file, 2);
    assert_string_equal(answer->file[0]->name, "x.pgrpc.h");
    pool_clear(&pool);
}

/* A compiler need not take a string of more than 4095 characters. */
static void a_long_default_is_no_string_literal(void **state)
{
    enum { LEN = 4001 };
    char text[LEN + 1];
    Pb__FieldDescriptorProto string =
        field("text", 1, PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL,
              PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING);
    struct request request;
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    memset(text, 'x', LEN);
    for (int cut = 0; cut < 2; cut++) {
        response = (struct text){.pool = &pool};
        text[LEN - cut] = '\0';
        string.default_value = text;
        make_small_request(&request, NULL, 0, &string);
        assert_null(plugin_run(request.bytes, request.len, &response));
        assert_contains(decode(&response)->file[1]->content,
                        cut == 0 ? "default_value[] = {\n    '\\x78', "
                                 : "default_value[] = \"xxx");
    }
    pool_clear(&pool);
}

/* protoc sends no such thing. */
static void a_name_is_of_one_type(void **state)
{
    Pb__FieldDescriptorProto bunch =
        field("bunch", 1, PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL,
              PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP);
    bunch.type_name = (char *)".Other";
    Pb__DescriptorProto other = PB__DESCRIPTOR_PROTO__INIT, message = PB__DESCRIPTOR_PROTO__INIT;
    other.name = (char *)"Other";
    message.name = (char *)"M";
    message.n_field = 1;
    message.field = &(Pb__FieldDescriptorProto *){&bunch};
    Pb__EnumValueDescriptorProto value = PB__ENUM_VALUE_DESCRIPTOR_PROTO__INIT;
    value.name = (char *)"ZERO";
    Pb__EnumDescriptorProto numbers = PB__ENUM_DESCRIPTOR_PROTO__INIT;
    numbers.name = (char *)"M";
    numbers.n_value = 1;
    numbers.value = &(Pb__EnumValueDescriptorProto *){&value};
    Pb__FileDescriptorProto file = PB__FILE_DESCRIPTOR_PROTO__INIT;
    file.name = (char *)"x.proto";
    file.n_message_type = 2;
    file.message_type = (Pb__DescriptorProto *[]){&other, &message};
    file.n_enum_type = 1;
    file.enum_type = &(Pb__EnumDescriptorProto *){&numbers};
    Pb__CodeGeneratorRequest whole = PB__CODE_GENERATOR_REQUEST__INIT;
    whole.n_file_to_generate = 1;
    whole.file_to_generate = &(char *){(char *)"x.proto"};
    whole.n_proto_file = 1;
    whole.proto_file = &(Pb__FileDescriptorProto *){&file};
    struct request request = {.len = protobuf_c_message_get_packed_size(&whole.base)};
    struct pool pool = {0};
    struct text response = {.pool = &pool};
    (void)state;
    assert_true(request.len <= REQUEST_MAX);
    protobuf_c_message_pack(&whole.base, request.bytes);
    assert_string_equal(plugin_run(request.bytes, request.len, &response), model_nonsense);
    pool_clear(&pool);
}

/* Some are requests by chance; none may do harm. */
static void a_request_may_be_cut_off_anywhere(void **state)
{
    struct request request;
    size_t refused = 0;
    (void)state;
    make_request(&request, "First", true);
    for (size_t len = 0; len < request.len; len++) {
        struct pool pool = {0};
        struct text response = {.pool = &pool};
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that reading on is seen */
        assert_non_null(exact);
        memcpy(exact, request.bytes, len);
        refused += plugin_run(exact, len, &response) != NULL;
        free(exact);
        pool_clear(&pool);
    }
    assert_true(refused >= request.len - 4);
}

static void a_request_may_be_damaged_anywhere(void **state)
{
    struct request request;
    (void)state;
    make_request(&request, "First", true);
    for (size_t bit = 0; bit < 8 * request.len; bit++) {
        struct pool pool = {0};
        struct text response = {.pool = &pool};
        request.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        plugin_run(request.bytes, request.len, &response);
        request.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        pool_clear(&pool);
    }
}

static void running_out_of_memory_anywhere_is_an_error(void **state)
{
    struct request request;
    const char *failure = "";
    size_t count = 0;
    (void)state;
    make_request(&request, "First", true);
    while (failure) {
        struct pool pool = {0};
        struct text response = {.pool = &pool};
        fail_at = ++count;
        failure = plugin_run(request.bytes, request.len, &response);
        if (failure)
            assert_string_equal(failure, "out of memory");
        else
            assert_true(fail_at > 0);
        fail_at = 0;
        pool_clear(&pool);
    }
    assert_true(count > 100);
}

/* |depth| messages, each in the one before: written from the end of |bytes|, which are returned. */
static uint8_t *nest(uint8_t *bytes, size_t size, size_t depth, size_t *len)
{
    uint8_t *start = bytes + size;
    for (size_t i = 0; i < depth + 2; i++) {
        uint8_t length[10];
        size_t count = 0;
        for (size_t rest = (size_t)(bytes + size - start); count == 0 || rest > 0; rest >>= 7)
            length[count++] = (uint8_t)((rest & 0x7f) | (rest >> 7 > 0 ? 0x80 : 0));
        start -= count;
        memcpy(start, length, count);
        *--start = i == depth + 1 ? 15 << 3 | 2 : i == depth ? 4 << 3 | 2 : 3 << 3 | 2;
    }
    /* the innermost was written empty; the two outermost are the file and its message */
    *len = (size_t)(bytes + size - start);
    return start;
}

static void messages_may_be_nested_only_so_deep(void **state)
{
    enum { SIZE = 1024 * 1024 };
    uint8_t *bytes = malloc(SIZE);
    (void)state;
    assert_non_null(bytes);
    static const struct {
        size_t depth;
        bool is_refused;
    } cases[] = {{32, false}, {63, false}, {64, true}, {65, true}, {100000, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pool pool = {0};
        struct text response = {.pool = &pool};
        size_t len;
        const uint8_t *request = nest(bytes, SIZE, cases[i].depth, &len);
        const char *failure = plugin_run(request, len, &response);
        assert_non_null(failure); /* the messages have no names */
        assert_int_equal(strstr(failure, "nested") != NULL, cases[i].is_refused);
        pool_clear(&pool);
    }
    free(bytes);
}

/* What protoc-gen-c 1.4.1 makes of these names. */
static void names_are_spelled_as_protobuf_c_spells_them(void **state)
{
    static const struct {
        const char *full_name, *type, *lower, *upper;
    } cases[] = {
        {"helloworld.Greeter", "Helloworld__Greeter", "helloworld__greeter", "HELLOWORLD__GREETER"},
        {"acme.HTTPThing.v1_beta2", "Acme__HTTPThing__V1Beta2", "acme__httpthing__v1_beta2",
         "ACME__HTTPTHING__V1_BETA2"},
        {"HTTPRequest2Foo.InnerMSG", "HTTPRequest2Foo__InnerMSG", "httprequest2_foo__inner_msg",
         "HTTPREQUEST2_FOO__INNER_MSG"},
        {"GetURL", "GetURL", "get_url", "GET_URL"},
        {"MEntry", "MEntry", "mentry", "MENTRY"},
        {"My_RPCService", "MyRPCService", "my__rpcservice", "MY__RPCSERVICE"},
        {"camelCase", "CamelCase", "camel_case", "CAMEL_CASE"},
        {"_lead._1.trail_", "Lead__1__Trail", "_lead___1__trail_", "_LEAD___1__TRAIL_"},
        {"a._.b", "A____B", "a_____b", "A_____B"},
        {"a..b", "A__B", "a__b", "A__B"},
    };
    struct pool pool = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(names_type(&pool, cases[i].full_name), cases[i].type);
        assert_string_equal(names_lower(&pool, cases[i].full_name), cases[i].lower);
        assert_string_equal(names_upper(&pool, cases[i].full_name), cases[i].upper);
    }
    pool_clear(&pool);
}

static void c_package_replaces_the_package(void **state)
{
    struct pool pool = {0};
    (void)state;
    assert_string_equal(names_in_c_package(&pool, "a.b.C.D", "a.b", NULL), "a.b.C.D");
    assert_string_equal(names_in_c_package(&pool, "a.b.C.D", "a.b", "x.y"), "x.y.C.D");
    assert_string_equal(names_in_c_package(&pool, "C.D", "", "x"), "x.C.D");
    assert_string_equal(names_type(&pool, names_in_c_package(&pool, "a.C", "a", "")), "C");
    pool_clear(&pool);
}

static void paths_become_identifiers(void **state)
{
    struct pool pool = {0};
    (void)state;
    assert_string_equal(names_path(&pool, "dir/b-dash.proto"), "dir_2fb_2ddash_2eproto");
    assert_string_equal(names_path(&pool, "a_b"), "a_5fb");
    assert_string_equal(names_stem(&pool, "dir/b-dash.proto"), "dir/b-dash");
    assert_string_equal(names_stem(&pool, "x.protodevel"), "x");
    assert_string_equal(names_stem(&pool, "x.idl"), "x.idl");
    assert_true(names_is_identifier("A__1"));
    assert_false(names_is_identifier("1A"));
    assert_false(names_is_identifier(""));
    assert_false(names_is_identifier("a-b"));
    assert_true(names_is_taken("register"));
    assert_true(names_is_taken("delete"));
    assert_false(names_is_taken("Register"));
    pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_with_four_files),
        cmocka_unit_test(an_error_names_its_place_as_far_as_it_is_known),
        cmocka_unit_test(an_edition_is_known_or_refused_with_its_place),
        cmocka_unit_test(stubs_alone_are_two_files_and_of_any_edition),
        cmocka_unit_test(a_long_default_is_no_string_literal),
        cmocka_unit_test(a_name_is_of_one_type),
        cmocka_unit_test(a_request_may_be_cut_off_anywhere),
        cmocka_unit_test(a_request_may_be_damaged_anywhere),
        cmocka_unit_test(running_out_of_memory_anywhere_is_an_error),
        cmocka_unit_test(messages_may_be_nested_only_so_deep),
        cmocka_unit_test(names_are_spelled_as_protobuf_c_spells_them),
        cmocka_unit_test(c_package_replaces_the_package),
        cmocka_unit_test(paths_become_identifiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
