// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "tools/test/catch.hpp"
#include "userspace/base/channel.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/base/result.hpp"
#include "userspace/base/time.hpp"
#include "userspace/base/version.hpp"

using namespace penstock;

namespace {
Status fails() { return Error{.code = Errc::kernel, .what = "write pst_vips", .hint = "raise vips_max", .sys_errno = E2BIG, .context = {}}; }
Status passes_on() {
    PST_TRY(fails());
    return success();
}
Result<int> gives(int value) { return value; }
Result<int> adds() {
    PST_TRY_ASSIGN(const int a, gives(2));
    PST_TRY_ASSIGN(const int b, gives(3));
    return a + b;
}
}  // namespace

TEST_CASE("result: an error carries context, cause and hint to the operator") {
    auto status = passes_on();
    REQUIRE_FALSE(status.ok());
    const Error error = std::move(status).error().in("apply plan");
    CHECK(error.report() == "error: apply plan: write pst_vips\ncaused by: Argument list too long (E2BIG)\nhint: raise vips_max");
    CHECK(*adds() == 5);
}

TEST_CASE("memfd: sealed bytes are read back, unsealed ones are refused") {
    const std::size_t size = GENERATE(0U, 1U, 3U, 16U * 1024, 16U * 1024 + 1, 300'000U);  // read or mapped
    CAPTURE(size);
    std::vector<std::uint8_t> bytes(size);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
    auto fd = sealed_memfd("test", bytes);
    REQUIRE(fd.ok());
    CHECK(::write(fd->get(), "x", 1) < 0);
    for (int again = 0; again < 2; ++again) {
        auto content = SealedBytes::of(fd->get(), size);
        REQUIRE(content.ok());
        const SealedBytes moved = std::move(content).value();
        CHECK(std::equal(moved.bytes().begin(), moved.bytes().end(), bytes.begin(), bytes.end()));
    }
    if (size != 0) {
        CHECK_FALSE(SealedBytes::of(fd->get(), size - 1).ok());
    }

    const Fd open_file(::memfd_create("open", MFD_ALLOW_SEALING));
    CHECK_FALSE(SealedBytes::of(open_file.get(), 1024).ok());
}

TEST_CASE("channel: a message arrives whole with its descriptors, and a closed peer is told apart") {
    auto pair = channel_pair();
    REQUIRE(pair.ok());
    const std::uint8_t bytes[] = {7, 8};
    auto file = sealed_memfd("passed", bytes);
    const int fds[] = {file->get()};
    REQUIRE(channel_send(pair->first.get(), bytes, fds).ok());
    auto message = channel_receive(pair->second.get());
    REQUIRE(message.ok());
    CHECK(message->bytes == std::vector<std::uint8_t>{7, 8});
    REQUIRE(message->fds.size() == 1);
    CHECK(SealedBytes::of(message->fds[0].get(), 10)->bytes()[1] == 8);
    pair->first.reset();
    auto gone = channel_receive(pair->second.get());
    REQUIRE_FALSE(gone.ok());
    CHECK(gone.error().code == Errc::not_found);
}

TEST_CASE("version: a build is told by its commit, where that is known") {
    CHECK(build_text("0.1.0", "8c1f2ab4d1") == "0.1.0+g8c1f2ab4d1");
    CHECK(build_text("0.1.0", "8c1f2ab4d1-dirty") == "0.1.0+g8c1f2ab4d1-dirty");
    CHECK(build_text("0.1.0", "unknown") == "0.1.0");
    CHECK(build_text("0.1.0", "") == "0.1.0");
}

TEST_CASE("time: RFC 3339 in UTC") {
    CHECK(rfc3339(0) == "1970-01-01T00:00:00Z");
    CHECK(rfc3339(1767322145) == "2026-01-02T02:49:05Z");
}
