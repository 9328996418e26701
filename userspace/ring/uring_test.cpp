// SPDX-License-Identifier: Apache-2.0
// What a ring refuses, whoever writes its entries.
#include "userspace/ring/uring.hpp"

#include <fcntl.h>

#include "tools/test/catch.hpp"
#include "userspace/ring/ring.hpp"

using namespace penstock;
using namespace penstock::ring;

namespace {

int result_of(Uring& ring, const io_uring_sqe& wish) {
    ring.entry() = wish;
    int result = 0;
    ring.enter(1, kNever, 0);
    CHECK(ring.drain([&](const io_uring_cqe& completion) { result = completion.res; }) == 1);
    return result;
}

}  // namespace

TEST_CASE("uring: a ring does what the engine does with sockets, and opens, writes and runs nothing") {
    if (!Loop::probe_io_uring().ok()) {
        WARN("io_uring does not work here");
        return;
    }
    Uring ring;
    REQUIRE(ring.open(8).ok());
    io_uring_sqe open = {};
    open.opcode = IORING_OP_OPENAT;
    open.fd = AT_FDCWD;
    open.addr = reinterpret_cast<std::uint64_t>("/dev/null");
    open.open_flags = O_RDONLY;
    CHECK(result_of(ring, open) == -EACCES);

    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    char text[] = "x";
    io_uring_sqe write = {};
    write.opcode = IORING_OP_WRITE;
    write.fd = null.get();
    write.addr = reinterpret_cast<std::uint64_t>(text);
    write.len = 1;
    CHECK(result_of(ring, write) == -EACCES);
    write.opcode = IORING_OP_READ;
    CHECK(result_of(ring, write) == 0);
    write.flags = IOSQE_FIXED_FILE;
    CHECK(result_of(ring, write) == -EACCES);
}
