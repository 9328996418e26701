// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/ladder.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "userspace/base/fd.hpp"
#include "userspace/base/files.hpp"

namespace penstock::daemon {

namespace {

constexpr std::uint32_t kRingMinTimeout = 1U << 15;  // IORING_FEAT_MIN_TIMEOUT of Linux 6.12; Debian 12's headers are older
constexpr std::size_t kBtfMax = 64U << 20;

// io_uring_params up to the field that we read; the kernel writes 120 bytes.
struct RingParams {
    std::array<std::uint32_t, 5> before;
    std::uint32_t features;
    std::array<std::uint32_t, 24> after;
};
static_assert(sizeof(RingParams) == 120);

void probe_ring(std::vector<Rung>& rungs) {
    RingParams params = {};
    const Fd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 2, &params)));
    const std::string why = ring.valid() ? "" : fmt::format("io_uring_setup: {}; the worker uses epoll", std::strerror(errno));
    rungs.push_back({"io_uring", "5.15", "the worker's ring", ring.valid(), why});
    const bool whole = ring.valid() && (params.features & kRingMinTimeout) != 0;
    rungs.push_back({"io_uring_min_wait", "6.12", "every feature of the ring", whole, whole ? "" : "the kernel does not announce it"});
}

void probe_ktls(std::vector<Rung>& rungs) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    // A socket that is not connected: ENOTCONN means that the protocol is there, ENOENT that it is not.
    const int done = ::setsockopt(socket.get(), IPPROTO_TCP, TCP_ULP, "tls", 3);
    const bool works = done == 0 || errno == ENOTCONN;
    rungs.push_back({"ktls", "5.15", "TLS records in the kernel", works,
                     works ? "" : fmt::format("TCP_ULP tls: {}; records are made in user space", std::strerror(errno))});
}

void probe_functions(std::vector<Rung>& rungs) {
    const auto btf = read_file("/sys/kernel/btf/vmlinux", kBtfMax);
    const auto add = [&](const char* name, const char* since, const char* what, const char* function) {
        const bool works = btf.ok() && btf_has_name(*btf, function);
        rungs.push_back({name, since, what, works,
                         works ? "" : (btf.ok() ? fmt::format("the kernel has no {}", function) : "the kernel's BTF cannot be read")});
    };
    add("syncookie", "6.1", "TLS passthrough by SNI in XDP", "bpf_tcp_raw_gen_syncookie_ipv4");
    add("address_owner", "5.18", "sharing addresses out among nodes: whose an address is", "IFA_PROTO");
    add("late_binding", "6.9", "the agent on backends' nodes", "bpf_sk_assign_tcp_reqsk");
}

}  // namespace

bool btf_has_name(std::string_view btf, std::string_view name) {
    // Names stand in BTF's string section, each ended by NUL and preceded by the end of another.
    const std::string whole = std::string(1, '\0') + std::string(name) + std::string(1, '\0');
    return btf.find(whole) != std::string_view::npos;
}

std::vector<Rung> probe_ladder() {
    std::vector<Rung> rungs;
    probe_ring(rungs);
    probe_ktls(rungs);
    probe_functions(rungs);
    return rungs;
}

std::string kernel_release() {
    utsname name = {};
    return ::uname(&name) == 0 ? name.release : "unknown";
}

}  // namespace penstock::daemon
