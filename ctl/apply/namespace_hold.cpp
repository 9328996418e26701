// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/namespace_hold.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::apply {
namespace {

constexpr std::string_view kName = "penstock/addresses";

Result<Fd> unix_socket() {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) {
        return sys_error("make a Unix socket");
    }
    return fd;
}

// Who holds the name: "process 12", "" for a stranger.
Result<std::string> holder(const sockaddr* address, socklen_t size) {
    PST_TRY_ASSIGN(const Fd fd, unix_socket());
    if (::connect(fd.get(), address, size) != 0) {
        return errno == EAGAIN ? std::string("many have asked it") : std::string();  // EAGAIN: its queue is full
    }
    ucred peer = {};
    socklen_t peer_size = sizeof peer;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0) {
        return sys_error("ask who holds the addresses");
    }
    return peer.uid == 0 || peer.uid == ::geteuid() ? "process " + std::to_string(peer.pid) : std::string();
}

}  // namespace

Result<Fd> hold_addresses() {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::copy(kName.begin(), kName.end(), name.sun_path + 1);  // a leading NUL: abstract (unix(7))
    const auto* address = reinterpret_cast<const sockaddr*>(&name);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
    PST_TRY_ASSIGN(Fd fd, unix_socket());
    if (::bind(fd.get(), address, size) == 0) {
        if (::listen(fd.get(), 16) != 0) {
            return sys_error("listen on a Unix socket");
        }
        return fd;
    }
    if (errno != EADDRINUSE) {
        return sys_error("bind a Unix socket");
    }
    PST_TRY_ASSIGN(const std::string other, holder(address, size));
    if (!other.empty()) {
        return Error{.code = Errc::exists,
                     .what = "another penstockd (" + other + ") puts addresses in this network namespace",
                     .hint = "stop one of the two, or give one a network namespace of its own"};
    }
    return fd;
}

void answer_askers(const Fd& hold) {
    while (hold.valid() && Fd(::accept4(hold.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid()) {
    }
}

}  // namespace penstock::apply
