// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/channel.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "userspace/base/assert.hpp"

namespace penstock {

Status channel_send(int socket, std::span<const std::uint8_t> bytes, std::span<const int> fds) {
    PST_ASSERT(bytes.size() <= kChannelMessageMax && fds.size() <= kChannelFdsMax);
    iovec part = {.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kChannelFdsMax * sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return sys_error("send a message");
    }
    return success();
}

namespace {
void take_fds(msghdr& message, std::vector<Fd>& fds) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            fds.emplace_back(fd);
        }
    }
}
}  // namespace

Result<ChannelMessage> channel_receive(int socket) {
    ChannelMessage received;
    std::uint8_t bytes[kChannelMessageMax];  // most messages are a hundredth of that: no heap for it, and no zeros
    iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    alignas(cmsghdr) char control[CMSG_SPACE(kChannelFdsMax * sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = 0;
    do {
        size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return sys_error("receive a message");
    }
    take_fds(message, received.fds);
    if (size == 0) {
        return Error{.code = Errc::not_found, .what = "receive a message: the peer is gone", .hint = {}, .context = {}};
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return Error{.code = Errc::invalid, .what = "receive a message: too large", .hint = {}, .context = {}};
    }
    received.bytes.assign(bytes, bytes + size);
    return received;
}

Result<std::pair<Fd, Fd>> channel_pair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return sys_error("create a socket pair");
    }
    return std::pair<Fd, Fd>(Fd(ends[0]), Fd(ends[1]));
}

}  // namespace penstock
