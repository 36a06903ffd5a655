/*
 * The protobuf codec against C++ protobuf, on the same bytes.  The first byte of the input chooses the
 * type, the rest is the message.  Both accept the same, but for what a C string cannot hold and what
 * C++ does not check, and what we encode again is to C++ what it read itself.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include "codec2.pb.h"
#include "codec3.pb.h"
#include "fuzz_protobuf_cpp.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
extern "C" int LLVMFuzzerInitialize(int *argc, char ***argv);

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
    google::protobuf::SetLogHandler(nullptr);
    return 0;
}

static std::unique_ptr<google::protobuf::Message> make(unsigned index)
{
    switch (index) {
    case 0:
        return std::make_unique<codec3::Tree>();
    case 1:
        return std::make_unique<codec3::Scalars>();
    case 2:
        return std::make_unique<codec3::Repeated>();
    case 3:
        return std::make_unique<codec3::Choice>();
    case 4:
        return std::make_unique<codec3::Maps>();
    case 5:
        return std::make_unique<codec2::Required>();
    case 6:
        return std::make_unique<codec2::Optional>();
    case 7:
        return std::make_unique<codec2::Gaps>();
    case 8:
        return std::make_unique<codec3::People>();
    case 9:
        return std::make_unique<codec3::Atlas>();
    case 10:
        return std::make_unique<codec2::Grouped>();
    case 11:
        return std::make_unique<codec2::NeedsGroup>();
    case 12:
        return std::make_unique<codec2::Coloured>();
    case 13:
        return std::make_unique<codec2::Nothing>();
    default:
        return std::make_unique<codec2::HoldsNothing>();
    }
}

/* The same bytes for equal messages. */
static std::string canonical(const google::protobuf::Message &message)
{
    std::string output;
    google::protobuf::io::StringOutputStream stream(&output);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
    coded.Trim();
    return output;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    unsigned index = data[0] % FUZZ_TYPES;
    auto theirs = make(index);
    bool they_accept = theirs->ParseFromArray(data + 1, static_cast<int>(len - 1));
    struct fuzz_result ours;
    fuzz_recode(index, data + 1, len - 1, &ours);
    if (ours.data) {
        CHECK(they_accept);
        auto again = make(index);
        CHECK(again->ParseFromArray(ours.data, static_cast<int>(ours.len)));
        CHECK(canonical(*again) == canonical(*theirs));
    } else if (they_accept) {
        /* C++ takes the lower 32 bits of a tag. */
        CHECK(strstr(ours.error, "NUL") || strstr(ours.error, "bad tag"));
    }
    fuzz_free(&ours);
    return 0;
}
