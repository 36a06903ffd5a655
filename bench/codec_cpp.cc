/* The same with C++ protobuf, which gets the bytes from a file: codec-cpp WAY MESSAGE COUNT FILE */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <google/protobuf/arena.h>

#include "codec.pb.h"

template <class Message> static int run(const char *way, long count, const std::string &data)
{
    Message message;
    std::vector<char> output(data.size());
    if (!message.ParseFromString(data))
        return 1;
    for (; count > 0; count--) {
        if (strcmp(way, "cpp-decode") == 0) {
            Message decoded;
            if (!decoded.ParseFromString(data))
                return 1;
        } else if (strcmp(way, "cpp-arena-decode") == 0) {
            google::protobuf::Arena arena;
            if (!google::protobuf::Arena::CreateMessage<Message>(&arena)->ParseFromString(data))
                return 1;
        } else if (message.ByteSizeLong() != data.size() ||
                   !message.SerializeToArray(output.data(), static_cast<int>(output.size()))) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    std::ifstream file(argv[4], std::ios::binary);
    std::string data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (strcmp(argv[2], "small") == 0)
        return run<bench::SmallRequest>(argv[1], atol(argv[3]), data);
    return run<bench::Page>(argv[1], atol(argv[3]), data);
}
