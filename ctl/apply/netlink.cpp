// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/netlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ctl/apply/netlink_attr.hpp"

namespace penstock::apply {

namespace {

// Of linux/netdev.h, which Debian 12's headers do not have yet.
constexpr std::uint8_t kNetdevDevGet = 1;
constexpr std::uint16_t kNetdevIfindex = 1;
constexpr std::uint16_t kNetdevXdpFeatures = 3;
constexpr std::uint64_t kXdpBasic = 1;
constexpr std::uint64_t kXdpXmit = 4;

Result<Fd> open_socket(int protocol) {
    Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!fd.valid()) {
        return sys_error("open a netlink socket");
    }
    const int on = 1;
    setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    return fd;
}

// Set by mnl's callback: the text that the kernel gives with an error.
std::string ext_ack_text(const nlmsghdr* message) {
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
    if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) {
        return {};
    }
    std::size_t skip = sizeof(nlmsgerr);
    if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) {
        skip += error->msg.nlmsg_len - sizeof(nlmsghdr);
    }
    std::string text;
    for_each_attr(message, skip, [&](const nlattr* attr) {
        if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0) {
            text = mnl_attr_get_str(attr);
        }
    });
    return text;
}

}  // namespace

const Interface* find_interface(const std::vector<Interface>& interfaces, std::uint32_t index) {
    const auto found = std::find_if(interfaces.begin(), interfaces.end(), [&](const Interface& one) { return one.index == index; });
    return found == interfaces.end() ? nullptr : &*found;
}

Result<Netlink> Netlink::open() {
    PST_TRY_ASSIGN(Fd route, open_socket(NETLINK_ROUTE));
    PST_TRY_ASSIGN(Fd generic, open_socket(NETLINK_GENERIC));
    return Netlink(std::move(route), std::move(generic));
}

// Answers of the kernel come in the order of the requests; what belongs to an earlier one is left over from its failure.
Status Netlink::ask(int fd, nlmsghdr* request, const OnMessage& on_message, const std::string& what) {
    request->nlmsg_seq = ++sequence_;
    if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
        request->nlmsg_flags |= NLM_F_ACK;
    }
    if (send(fd, request, request->nlmsg_len, 0) < 0) {
        return sys_error(what);
    }
    alignas(nlmsghdr) static thread_local char buffer[65536];
    for (;;) {
        const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return sys_error(what);
        }
        int left = static_cast<int>(got);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer); mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_seq != sequence_) {
                continue;
            }
            if (message->nlmsg_type == NLMSG_DONE) {
                return success();
            }
            if (message->nlmsg_type == NLMSG_ERROR) {
                const int code = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
                if (code == 0) {
                    return success();
                }
                return sys_error_of(code, what, ext_ack_text(message));
            }
            on_message(message);
        }
    }
}

// ---- interfaces -------------------------------------------------------------------------------------------------------

namespace {

void read_link_info(const nlattr* info, Interface& out) {
    for_each_nested(info, [&](const nlattr* attr) {
        if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && mnl_attr_get_payload_len(attr) > 0) {
            out.kind = std::string(static_cast<const char*>(mnl_attr_get_payload(attr)));
        }
    });
}

Interface read_link(const nlmsghdr* message) {
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    Interface out;
    out.index = static_cast<std::uint32_t>(link->ifi_index);
    out.up = (link->ifi_flags & IFF_UP) != 0;
    out.carrier = out.up && (link->ifi_flags & IFF_LOWER_UP) != 0;
    out.loopback = (link->ifi_flags & IFF_LOOPBACK) != 0;
    out.ethernet = link->ifi_type == ARPHRD_ETHER;
    for_each_attr(message, sizeof(*link), [&](const nlattr* attr) {
        switch (mnl_attr_get_type(attr)) {
            case IFLA_IFNAME: out.name = mnl_attr_get_str(attr); break;
            case IFLA_ADDRESS:
                if (mnl_attr_get_payload_len(attr) == out.mac.size()) {
                    std::memcpy(out.mac.data(), mnl_attr_get_payload(attr), out.mac.size());
                }
                break;
            case IFLA_MASTER: out.master = mnl_attr_get_u32(attr); break;
            case IFLA_MTU: out.mtu = mnl_attr_get_u32(attr); break;
            case IFLA_LINK_NETNSID: out.peer_elsewhere = true; break;
            case IFLA_LINKINFO: read_link_info(attr, out); break;
            default: break;
        }
    });
    return out;
}

InterfaceAddress read_interface_address(const nlmsghdr* message) {
    const auto* head = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    InterfaceAddress out;
    out.prefix_length = head->ifa_prefixlen;
    out.ifindex = head->ifa_index;
    out.global = head->ifa_scope < RT_SCOPE_LINK;
    bool has_local = false;
    for_each_attr(message, sizeof(*head), [&](const nlattr* attr) {
        const std::uint16_t type = mnl_attr_get_type(attr);
        if (type == IFA_LOCAL || (type == IFA_ADDRESS && !has_local)) {
            has_local |= type == IFA_LOCAL;
            out.address = read_address(attr).value_or(out.address);
        } else if (type == IFA_PROTO) {
            out.ours = mnl_attr_get_u8(attr) == kAddressProto;
        }
    });
    return out;
}

}  // namespace

Result<std::vector<Interface>> Netlink::interfaces() {
    Request request(RTM_GETLINK, NLM_F_DUMP);
    request.extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
    mnl_attr_put_u32(request.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::vector<Interface> out;
    PST_TRY(ask(route_.get(), request.header, [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWLINK) {
            out.push_back(read_link(message));
        }
    }, "list the interfaces"));
    return out;
}

Result<std::vector<InterfaceAddress>> Netlink::addresses() {
    Request request(RTM_GETADDR, NLM_F_DUMP);
    request.extra<ifaddrmsg>()->ifa_family = AF_UNSPEC;
    std::vector<InterfaceAddress> out;
    PST_TRY(ask(route_.get(), request.header, [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWADDR) {
            out.push_back(read_interface_address(message));
        }
    }, "list the addresses"));
    return out;
}

Status Netlink::add_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds) {
    return write_address(ifindex, address, seconds, NLM_F_CREATE | NLM_F_EXCL);
}

Status Netlink::keep_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds) {
    return write_address(ifindex, address, seconds, NLM_F_REPLACE);
}

Status Netlink::write_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds, std::uint16_t flags) {
    Request request(RTM_NEWADDR, flags);
    auto* head = request.extra<ifaddrmsg>();
    head->ifa_family = family_of(address);
    head->ifa_prefixlen = address.family == Family::v4 ? 32 : 128;
    head->ifa_index = ifindex;
    head->ifa_scope = RT_SCOPE_UNIVERSE;
    put_address(request.header, IFA_LOCAL, address);
    put_address(request.header, IFA_ADDRESS, address);
    mnl_attr_put_u8(request.header, IFA_PROTO, kAddressProto);
    // IPv6 deprecated: accepted, but never chosen as the source of the node's own traffic or of NAT.
    const ifa_cacheinfo lifetimes{.ifa_prefered = address.family == Family::v6 ? 0 : seconds, .ifa_valid = seconds, .cstamp = 0, .tstamp = 0};
    mnl_attr_put(request.header, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
    if (address.family == Family::v6) {
        mnl_attr_put_u32(request.header, IFA_FLAGS, IFA_F_NODAD);
    }
    auto done = ask(route_.get(), request.header, [](const nlmsghdr*) {}, "add the address " + address.text());
    if (!done.ok() && done.error().sys_errno == EEXIST) {
        done.error().code = Errc::exists;
    }
    return done;
}

Status Netlink::remove_address(std::uint32_t ifindex, const IpAddress& address) {
    PST_TRY_ASSIGN(const auto present, addresses());
    const auto found = std::find_if(present.begin(), present.end(), [&](const auto& one) { return one.ifindex == ifindex && one.address == address; });
    if (found == present.end()) {
        return success();
    }
    if (!found->ours) {
        return Error{.code = Errc::denied, .what = "remove the address " + address.text(), .hint = "it was not put there by Penstock"};
    }
    Request request(RTM_DELADDR, 0);
    auto* head = request.extra<ifaddrmsg>();
    head->ifa_family = family_of(address);
    head->ifa_prefixlen = found->prefix_length;
    head->ifa_index = ifindex;
    put_address(request.header, IFA_LOCAL, address);
    return ask(route_.get(), request.header, [](const nlmsghdr*) {}, "remove the address " + address.text());
}

// ---- XDP features -----------------------------------------------------------------------------------------------------

std::uint16_t Netlink::netdev_family() {
    if (netdev_family_ < 0) {
        netdev_family_ = 0;
        Request request(GENL_ID_CTRL, 0);
        *request.extra<genlmsghdr>() = {.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0};
        mnl_attr_put_strz(request.header, CTRL_ATTR_FAMILY_NAME, "netdev");
        // A kernel without the family answers with an error: 0 stays.
        (void)ask(generic_.get(), request.header, [&](const nlmsghdr* message) {
            for_each_attr(message, sizeof(genlmsghdr), [&](const nlattr* attr) {
                if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID) {
                    netdev_family_ = mnl_attr_get_u16(attr);
                }
            });
        }, "find the netdev family").ok();
    }
    return static_cast<std::uint16_t>(netdev_family_);
}

std::optional<XdpFeatures> Netlink::xdp_features(std::uint32_t ifindex) {
    const std::uint16_t family = netdev_family();
    if (family == 0) {
        return std::nullopt;
    }
    Request request(family, 0);
    *request.extra<genlmsghdr>() = {.cmd = kNetdevDevGet, .version = 1, .reserved = 0};
    mnl_attr_put_u32(request.header, kNetdevIfindex, ifindex);
    std::optional<XdpFeatures> out;
    (void)ask(generic_.get(), request.header, [&](const nlmsghdr* message) {
        for_each_attr(message, sizeof(genlmsghdr), [&](const nlattr* attr) {
            if (mnl_attr_get_type(attr) == kNetdevXdpFeatures && mnl_attr_get_payload_len(attr) == 8) {
                const std::uint64_t bits = mnl_attr_get_u64(attr);
                out = XdpFeatures{.basic = (bits & kXdpBasic) != 0, .xmit = (bits & kXdpXmit) != 0};
            }
        });
    }, "ask for XDP features").ok();
    return out;
}

}  // namespace penstock::apply
