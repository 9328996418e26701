// SPDX-License-Identifier: Apache-2.0
// A seqpacket Unix socket that carries messages with descriptors (SCM_RIGHTS): how keeper, daemon and worker talk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock {

inline constexpr std::size_t kChannelMessageMax = 64 * 1024;  // bytes of one message
inline constexpr std::size_t kChannelFdsMax = 200;            // descriptors of one message; the kernel allows 253

struct ChannelMessage {
    std::vector<std::uint8_t> bytes;
    std::vector<Fd> fds;  // close-on-exec
};

// Sends all of it or fails. Blocks if the socket does; on a full non-blocking socket fails with sys_errno EAGAIN.
Status channel_send(int socket, std::span<const std::uint8_t> bytes, std::span<const int> fds = {});

// Receives one message. A closed peer is Errc::not_found, a non-blocking socket without a message sys_errno EAGAIN,
// a truncated message or more descriptors than fit Errc::invalid (what arrived is closed).
Result<ChannelMessage> channel_receive(int socket);

// Two connected ends, close-on-exec, blocking.
Result<std::pair<Fd, Fd>> channel_pair();

}  // namespace penstock
