// SPDX-License-Identifier: Apache-2.0
// Where packets to an address would go: routes, and the neighbours that are their next hops. Nothing is changed but that the kernel is asked
// to resolve a neighbour.
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "ctl/apply/netlink.hpp"
#include "ctl/apply/netlink_attr.hpp"

namespace penstock::apply {

Result<std::vector<std::uint32_t>> Netlink::default_route_interfaces() {
    std::vector<std::uint32_t> out;
    const auto take = [&](std::uint32_t index) {
        if (std::find(out.begin(), out.end(), index) == out.end()) {
            out.push_back(index);
        }
    };
    for (const unsigned char family : {static_cast<unsigned char>(AF_INET), static_cast<unsigned char>(AF_INET6)}) {
        Request request(RTM_GETROUTE, NLM_F_DUMP);
        auto* head = request.extra<rtmsg>();
        head->rtm_family = family;
        head->rtm_table = RT_TABLE_MAIN;
        auto done = ask(route_.get(), request.header, [&](const nlmsghdr* message) {
            const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
            if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST) {
                return;
            }
            for_each_attr(message, sizeof(*route), [&](const nlattr* attr) {
                if (mnl_attr_get_type(attr) == RTA_OIF) {
                    take(mnl_attr_get_u32(attr));
                } else if (mnl_attr_get_type(attr) == RTA_MULTIPATH) {
                    for_each_hop(attr, take);
                }
            });
        }, "list the routes");
        // A table without a single route is told as ENOENT.
        if (!done.ok() && done.error().sys_errno != ENOENT) {
            return std::move(done).error();
        }
    }
    return out;
}

Result<Route> Netlink::route_to(const IpAddress& address) {
    Request request(RTM_GETROUTE, 0);
    auto* head = request.extra<rtmsg>();
    head->rtm_family = family_of(address);
    head->rtm_dst_len = address.family == Family::v4 ? 32 : 128;
    put_address(request.header, RTA_DST, address);
    Route out;
    unsigned char type = RTN_UNSPEC;
    PST_TRY(ask(route_.get(), request.header, [&](const nlmsghdr* message) {
        const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
        if (message->nlmsg_type != RTM_NEWROUTE) {
            return;
        }
        type = route->rtm_type;
        for_each_attr(message, sizeof(*route), [&](const nlattr* attr) {
            switch (mnl_attr_get_type(attr)) {
                case RTA_OIF: out.ifindex = mnl_attr_get_u32(attr); break;
                case RTA_GATEWAY: out.gateway = read_address(attr); break;
                case RTA_VIA: out.gateway = read_via(attr); break;
                case RTA_PREFSRC: out.source = read_address(attr); break;
                default: break;
            }
        });
    }, "find the route to " + address.text()));
    out.local = type == RTN_LOCAL;
    if (type != RTN_UNICAST && type != RTN_LOCAL) {
        return sys_error_of(ENETUNREACH, "find the route to " + address.text());
    }
    return out;
}

Result<Neighbour> Netlink::neighbour(std::uint32_t ifindex, const IpAddress& address) {
    Request request(RTM_GETNEIGH, 0);
    auto* head = request.extra<ndmsg>();
    head->ndm_family = family_of(address);
    head->ndm_ifindex = static_cast<int>(ifindex);
    put_address(request.header, NDA_DST, address);
    Neighbour out;
    auto done = ask(route_.get(), request.header, [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWNEIGH) {
            out = read_neighbour(message);
        }
    }, "look up the neighbour " + address.text());
    if (!done.ok() && done.error().sys_errno != ENOENT) {
        return std::move(done).error();
    }
    return out;
}

Result<std::vector<std::pair<std::uint32_t, IpAddress>>> Netlink::neighbours() {
    Request request(RTM_GETNEIGH, NLM_F_DUMP);
    request.extra<ndmsg>()->ndm_family = AF_UNSPEC;
    std::vector<std::pair<std::uint32_t, IpAddress>> out;
    PST_TRY(ask(route_.get(), request.header, [&](const nlmsghdr* message) {
        const auto* head = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
        const bool known = message->nlmsg_type == RTM_NEWNEIGH && (head->ndm_state & NUD_NOARP) == 0 && read_neighbour(message).mac != Mac{};
        if (!known || (head->ndm_family != AF_INET && head->ndm_family != AF_INET6)) {
            return;
        }
        for_each_attr(message, sizeof(*head), [&](const nlattr* attr) {
            if (const auto address = mnl_attr_get_type(attr) == NDA_DST ? read_address(attr) : std::nullopt) {
                out.emplace_back(static_cast<std::uint32_t>(head->ndm_ifindex), *address);
            }
        });
    }, "list the neighbours"));
    return out;
}

Status Netlink::resolve(std::uint32_t ifindex, const IpAddress& address) {
    Request request(RTM_NEWNEIGH, NLM_F_CREATE);
    auto* head = request.extra<ndmsg>();
    head->ndm_family = family_of(address);
    head->ndm_ifindex = static_cast<int>(ifindex);
    head->ndm_flags = NTF_USE;  // as if a packet were to be sent: resolves what is absent, probes what is stale
    put_address(request.header, NDA_DST, address);
    return ask(route_.get(), request.header, [](const nlmsghdr*) {}, "resolve the neighbour " + address.text());
}

}  // namespace penstock::apply
