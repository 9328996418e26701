// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace penstock::apply {

namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

Status set(int fd, int level, int option, const char* what) {
    const int on = 1;
    if (::setsockopt(fd, level, option, &on, sizeof on) != 0) {
        return sys_error(std::string("set ") + what);
    }
    return success();
}

Status prepare(int fd, const SocketName& name) {
    PST_TRY(set(fd, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT"));
    PST_TRY(set(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR"));
    const bool six = name.endpoint.address.family == Family::v6;
    if (six) {
        PST_TRY(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY"));
        PST_TRY(set(fd, IPPROTO_IPV6, IPV6_FREEBIND, "IPV6_FREEBIND"));
    } else {
        PST_TRY(set(fd, IPPROTO_IP, IP_FREEBIND, "IP_FREEBIND"));
    }
    if (name.transport == compile::Transport::udp) {
        PST_TRY(six ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO") : set(fd, IPPROTO_IP, IP_PKTINFO, "IP_PKTINFO"));
    }
    return success();
}

std::string hint_of(int error) {
    if (error == EADDRINUSE) {
        return "the port is in use by another program: `ss -lnp` shows which; it is tried again";
    }
    return error == EACCES ? "ports below 1024 need CAP_NET_BIND_SERVICE" : "";
}

Result<Fd> open_one(const SocketName& name) {
    const bool tcp = name.transport == compile::Transport::tcp;
    const int family = name.endpoint.address.family == Family::v6 ? AF_INET6 : AF_INET;
    Fd fd(::socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        return sys_error("open a socket");
    }
    PST_TRY(prepare(fd.get(), name));
    sockaddr_storage address;
    const socklen_t size = name.endpoint.to_sockaddr(address);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || (tcp && ::listen(fd.get(), kBacklog) != 0)) {
        const int error = errno;
        return sys_error_of(error, std::string(tcp ? "listen on tcp/" : "listen on udp/") + name.endpoint.text(), hint_of(error));
    }
    return fd;
}

}  // namespace

Result<SocketName> parse_socket_name(const std::string& name) {
    const bool tcp = name.starts_with("tcp/");
    const auto endpoint = tcp || name.starts_with("udp/") ? Endpoint::parse(std::string_view(name).substr(4)) : std::nullopt;
    if (!endpoint) {
        return Error{.code = Errc::invalid, .what = "socket name " + name + " is not tcp/ADDRESS:PORT or udp/ADDRESS:PORT"};
    }
    return SocketName{tcp ? compile::Transport::tcp : compile::Transport::udp, *endpoint};
}

Result<std::vector<Fd>> open_sockets(const SocketName& name, std::uint32_t slots) {
    std::vector<Fd> sockets;
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        PST_TRY_ASSIGN(Fd socket, open_one(name));
        sockets.push_back(std::move(socket));
    }
    return sockets;
}

}  // namespace penstock::apply
