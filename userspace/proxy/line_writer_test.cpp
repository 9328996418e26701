// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/line_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "tools/test/catch.hpp"
#include "userspace/base/fd.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {

struct Pipe {
    Fd read, write;
};
Pipe make_pipe() {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    return {Fd(fds[0]), Fd(fds[1])};
}

std::string read_all(int fd) {
    std::string all;
    std::array<char, 65536> bytes{};
    for (;;) {
        const ssize_t got = ::read(fd, bytes.data(), bytes.size());
        if (got <= 0) {
            return all;
        }
        all.append(bytes.data(), static_cast<std::size_t>(got));
    }
}

std::string numbered(int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) {
        text += "line " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 400), 'x') + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("line_writer: what was put arrives whole and in order, also when it does not fit a pipe at once") {
    Pipe pipe = make_pipe();
    const std::string first = numbered(0, 1000);
    const std::string second = numbered(1000, 2000);
    auto reader = std::async(std::launch::async, [&] { return read_all(pipe.read.get()); });
    {
        LineWriter writer(std::move(pipe.write));
        CHECK(writer.put(first) == 0);
        CHECK(writer.put(second) == 0);
    }
    CHECK(reader.get() == first + second);
}

TEST_CASE("line_writer: a line longer than a pipe takes at once is not lost") {
    Pipe pipe = make_pipe();
    const std::string text = std::string(200'000, 'x') + "\nshort\n";
    auto reader = std::async(std::launch::async, [&] { return read_all(pipe.read.get()); });
    {
        LineWriter writer(std::move(pipe.write));
        CHECK(writer.put(text) == 0);
    }
    CHECK(reader.get() == text);
}

TEST_CASE("line_writer: nobody who puts waits for a reader that is stuck; what is too much is told") {
    Pipe pipe = make_pipe();
    const auto begun = std::chrono::steady_clock::now();
    std::uint64_t lost = 0;
    {
        LineWriter writer(std::move(pipe.write));
        const std::string piece = std::string(65535, 'x') + "\n";
        for (int i = 0; i < 100; ++i) {
            lost += writer.put(piece);
        }
        CHECK(lost >= 100 - LineWriter::kWaitingMax / piece.size() - 1);
        CHECK(lost < 100);
        CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
    }
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));  // nor does the end
}

TEST_CASE("line_writer: lines that could not be written are told with the next ones") {
    Pipe pipe = make_pipe();
    pipe.read.reset();
    LineWriter writer(std::move(pipe.write));
    CHECK(writer.put("one\ntwo\n") == 0);
    std::uint64_t lost = 0;
    for (int i = 0; i < 1000 && lost < 2; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        lost += writer.put("");
    }
    CHECK(lost == 2);
}

TEST_CASE("line_writer: the descriptor's flags are left alone, as others share it") {
    Pipe pipe = make_pipe();
    const int before = ::fcntl(pipe.write.get(), F_GETFL);
    { LineWriter writer(pipe.write.duplicate()); }
    CHECK(::fcntl(pipe.write.get(), F_GETFL) == before);
}

TEST_CASE("line_writer: goes on with another descriptor, and closes the one before") {
    Pipe before = make_pipe();
    Pipe after = make_pipe();
    LineWriter writer(std::move(before.write));
    CHECK(writer.put("one\n") == 0);
    std::array<char, 4> first{};
    CHECK(::read(before.read.get(), first.data(), first.size()) == 4);
    writer.go_on_with(std::move(after.write));
    CHECK(writer.put("two\n") == 0);
    std::array<char, 16> second{};
    CHECK(::read(after.read.get(), second.data(), second.size()) == 4);
    CHECK(::read(before.read.get(), first.data(), first.size()) == 0);  // the end
}

TEST_CASE("line_writer: a stuck reader is left for another descriptor, which gets the rest of the lines, too") {
    Pipe stuck = make_pipe();
    Pipe after = make_pipe();
    LineWriter writer(std::move(stuck.write));
    const std::string lines = numbered(0, 400);  // more than a pipe holds
    CHECK(writer.put(lines) == 0);
    writer.go_on_with(std::move(after.write));
    CHECK(writer.put("last\n") == 0);
    std::string rest;
    std::array<char, 4096> bytes{};
    for (ssize_t got = 1; got > 0 && !rest.ends_with("last\n");) {
        got = ::read(after.read.get(), bytes.data(), bytes.size());
        rest.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    CHECK(read_all(stuck.read.get()) + rest == lines + "last\n");
}
