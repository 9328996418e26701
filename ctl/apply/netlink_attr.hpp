// SPDX-License-Identifier: Apache-2.0
// Reading and building netlink messages: attributes by callback, addresses, neighbours; a request. The kernel is trusted, lengths are checked
// all the same.
#pragma once

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "ctl/apply/netlink.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::apply {

template <class Function>
void for_each_attr(const nlattr* at, const char* end, const Function& function) {
    while (mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at)))) {
        function(at);
        at = mnl_attr_next(at);
    }
}

// Attributes after a fixed header of `skip` bytes.
template <class Function>
void for_each_attr(const nlmsghdr* message, std::size_t skip, const Function& function) {
    for_each_attr(static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, skip)), static_cast<const char*>(mnl_nlmsg_get_payload_tail(message)), function);
}

template <class Function>
void for_each_nested(const nlattr* outer, const Function& function) {
    const auto* first = static_cast<const nlattr*>(mnl_attr_get_payload(outer));
    for_each_attr(first, reinterpret_cast<const char*>(first) + mnl_attr_get_payload_len(outer), function);
}

// Interfaces of RTA_MULTIPATH.
template <class Function>
void for_each_hop(const nlattr* multipath, const Function& function) {
    const auto* at = static_cast<const char*>(mnl_attr_get_payload(multipath));
    std::size_t left = mnl_attr_get_payload_len(multipath);
    while (left >= sizeof(rtnexthop)) {
        const auto* hop = reinterpret_cast<const rtnexthop*>(at);
        if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > left) {
            return;
        }
        function(static_cast<std::uint32_t>(hop->rtnh_ifindex));
        const std::size_t step = std::min<std::size_t>(RTNH_ALIGN(hop->rtnh_len), left);
        at += step;
        left -= step;
    }
}

inline std::optional<IpAddress> address_of(const void* bytes, std::size_t size) {
    if (size == 4) {
        std::uint32_t be = 0;
        std::memcpy(&be, bytes, 4);
        return IpAddress::v4(ntohl(be));
    }
    if (size != 16) {
        return std::nullopt;
    }
    IpAddress out = IpAddress::any(Family::v6);
    std::memcpy(out.bytes.data(), bytes, 16);
    return out;
}

inline std::optional<IpAddress> read_address(const nlattr* attr) { return address_of(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)); }

// RTA_VIA: a gateway of the other family.
inline std::optional<IpAddress> read_via(const nlattr* attr) {
    const auto* via = static_cast<const rtvia*>(mnl_attr_get_payload(attr));
    return mnl_attr_get_payload_len(attr) < sizeof(rtvia) ? std::nullopt : address_of(via->rtvia_addr, mnl_attr_get_payload_len(attr) - sizeof(rtvia));
}

inline Neighbour read_neighbour(const nlmsghdr* message) {
    const auto* head = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
    Neighbour out;
    bool has_mac = false;
    for_each_attr(message, sizeof(*head), [&](const nlattr* attr) {
        if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == out.mac.size()) {
            std::memcpy(out.mac.data(), mnl_attr_get_payload(attr), out.mac.size());
            has_mac = true;
        }
    });
    if ((head->ndm_state & NUD_FAILED) != 0) {
        out.state = NeighbourState::failed;
    } else if (has_mac && (head->ndm_state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP | NUD_DELAY | NUD_PROBE)) != 0) {
        out.state = NeighbourState::usable;
    } else if (has_mac && (head->ndm_state & NUD_STALE) != 0) {
        out.state = NeighbourState::stale;
    }
    if (out.state == NeighbourState::failed || out.state == NeighbourState::unknown) {
        out.mac = {};
    }
    return out;
}

// ---- building -----------------------------------------------------------------------------------------------------------
inline unsigned char family_of(const IpAddress& address) { return address.family == Family::v4 ? AF_INET : AF_INET6; }

inline void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
    const bool four = address.family == Family::v4;
    mnl_attr_put(message, type, four ? 4 : 16, address.bytes.data() + (four ? 12 : 0));
}

// One request being built.
struct Request {
    alignas(nlmsghdr) char bytes[MNL_NLMSG_HDRLEN + 512] = {};
    nlmsghdr* header = mnl_nlmsg_put_header(bytes);

    Request(std::uint16_t type, std::uint16_t flags) {
        header->nlmsg_type = type;
        header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    }
    template <class Extra>
    Extra* extra() {
        return static_cast<Extra*>(mnl_nlmsg_put_extra_header(header, sizeof(Extra)));
    }
};

}  // namespace penstock::apply
