// SPDX-License-Identifier: Apache-2.0
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "ctl/apply/netlink.hpp"
#include "ctl/apply/netlink_attr.hpp"

namespace penstock::apply {

namespace {

constexpr std::size_t kKnownMax = 65536;

}  // namespace

Result<NetlinkEvents> NetlinkEvents::open() {
    Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl self{};
    self.nl_family = AF_NETLINK;
    self.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_NEIGH;
    if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof(self)) < 0) {
        return sys_error("subscribe to changes of the network");
    }
    const int bytes = 1 << 20;
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    return NetlinkEvents(std::move(fd));
}

// A neighbour goes through its states all the time; what counts is whether there is a MAC, and which.
void NetlinkEvents::note_neighbour(const nlmsghdr* message, Changes& changes) {
    const auto* head = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
    if (head->ndm_family != AF_INET && head->ndm_family != AF_INET6) {
        return;  // a bridge's table
    }
    std::optional<IpAddress> address;
    for_each_attr(message, sizeof(*head), [&](const nlattr* attr) {
        if (mnl_attr_get_type(attr) == NDA_DST) {
            address = read_address(attr);
        }
    });
    if (!address) {
        return;
    }
    const Mac mac = message->nlmsg_type == RTM_DELNEIGH ? Mac{} : read_neighbour(message).mac;
    if (known_.size() > kKnownMax) {
        known_.clear();
    }
    const std::pair hop{static_cast<std::uint32_t>(head->ndm_ifindex), *address};
    const auto [place, added] = known_.try_emplace(hop, mac);
    if (added || std::exchange(place->second, mac) != mac) {
        changes.neighbours.insert(hop);
    }
}

NetlinkEvents::Changes NetlinkEvents::drain() {
    Changes changes;
    alignas(nlmsghdr) static thread_local char buffer[65536];
    for (;;) {
        const ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
        if (got < 0 && errno == ENOBUFS) {
            known_.clear();
            changes.links = changes.addresses = changes.routes = changes.default_route = true;
            continue;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return changes;
        }
        int left = static_cast<int>(got);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer); mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            switch (message->nlmsg_type) {
                case RTM_NEWLINK:
                case RTM_DELLINK: changes.links = true; break;
                case RTM_NEWADDR:
                case RTM_DELADDR: changes.addresses = true; break;
                case RTM_NEWROUTE:
                case RTM_DELROUTE:
                    changes.routes = true;
                    changes.default_route |= static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_dst_len == 0;
                    break;
                case RTM_NEWNEIGH:
                case RTM_DELNEIGH: note_neighbour(message, changes); break;
                default: break;
            }
        }
    }
}

}  // namespace penstock::apply
