// SPDX-License-Identifier: Apache-2.0
// The kernel's network as values: interfaces, addresses, next hops, and a descriptor that tells of changes. Requests are synchronous and
// short (the kernel answers at once). It changes two things only: addresses that carry our mark (IFA_PROTO), and neighbour entries, which
// it asks the kernel to resolve. It never touches routes, or addresses of others.
// Everything is of the network namespace in which open() was called.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/plan/reach.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/base/result.hpp"

struct nlmsghdr;

namespace penstock::apply {

using plan::Mac;

struct Interface {
    std::uint32_t index = 0;
    std::string name;
    std::string kind;          // "veth", "bridge", "vlan", ...; empty: hardware or no rtnl kind
    Mac mac = {};              // zero: it has none
    std::uint32_t master = 0;  // bridge or bond that it is a port of; 0: none
    std::uint32_t mtu = 0;
    bool up = false;           // administratively
    bool carrier = false;      // and its link is there
    bool loopback = false;
    bool ethernet = false;
    bool peer_elsewhere = false;  // the other end of a veth is in another network namespace

    bool operator==(const Interface&) const = default;
};

// Null if there is none of that number.
const Interface* find_interface(const std::vector<Interface>& interfaces, std::uint32_t index);

struct InterfaceAddress {
    IpAddress address;
    std::uint8_t prefix_length = 0;
    std::uint32_t ifindex = 0;
    bool ours = false;    // put there by us (IFA_PROTO kAddressProto)
    bool global = false;  // scope global (or site): reachable by others

    bool operator==(const InterfaceAddress&) const = default;
};

// IFA_PROTO of the addresses that we put: a restarted daemon knows its own by it. Kernels before 5.18 drop it; there an address that we
// find present counts as foreign and stays.
inline constexpr std::uint8_t kAddressProto = 0x70;

inline constexpr std::uint32_t kForever = UINT32_MAX;  // seconds that an address stays

// Where packets to an address would go now.
struct Route {
    std::uint32_t ifindex = 0;
    std::optional<IpAddress> gateway;  // nothing: on the link
    std::optional<IpAddress> source;   // what the kernel would choose
    bool local = false;                // one of this node's own addresses
};

enum class NeighbourState : std::uint8_t { unknown, usable, stale, failed };
struct Neighbour {
    NeighbourState state = NeighbourState::unknown;
    Mac mac = {};  // if usable or stale
};

// What XDP may do with a device (NETDEV_XDP_ACT_*); nothing where the kernel (before 6.3) does not tell.
struct XdpFeatures {
    bool basic = false;  // native programs
    bool xmit = false;   // takes frames by redirect
};

class Netlink {
public:
    // Opens in the calling thread's network namespace.
    static Result<Netlink> open();

    Result<std::vector<Interface>> interfaces();
    Result<std::vector<InterfaceAddress>> addresses();
    // Interfaces with a default route of either family.
    Result<std::vector<std::uint32_t>> default_route_interfaces();
    Result<Route> route_to(const IpAddress& address);
    Result<Neighbour> neighbour(std::uint32_t ifindex, const IpAddress& address);
    // Interface and address of all whose MAC is known, or was.
    Result<std::vector<std::pair<std::uint32_t, IpAddress>>> neighbours();
    std::optional<XdpFeatures> xdp_features(std::uint32_t ifindex);

    // As /32 or /128, without duplicate address detection, with our mark. Errc::exists if it is there already.
    Status add_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds = kForever);
    // How long it stays from now on, unless told again.
    Status keep_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds);
    // Refuses (Errc::denied) an address that does not carry our mark.
    Status remove_address(std::uint32_t ifindex, const IpAddress& address);
    // Asks the kernel to find out, or to make sure of, the MAC of `address`. The answer comes as an event.
    Status resolve(std::uint32_t ifindex, const IpAddress& address);

private:
    Status write_address(std::uint32_t ifindex, const IpAddress& address, std::uint32_t seconds, std::uint16_t flags);
    using OnMessage = std::function<void(const nlmsghdr*)>;
    explicit Netlink(Fd route, Fd generic) : route_(std::move(route)), generic_(std::move(generic)) {}
    // Sends one request and reads its answers up to the acknowledgement.
    Status ask(int fd, nlmsghdr* request, const OnMessage& on_message, const std::string& what);
    std::uint16_t netdev_family();

    Fd route_;
    Fd generic_;
    std::uint32_t sequence_ = 0;
    int netdev_family_ = -1;  // -1: not asked yet, 0: the kernel has none
};

// Subscription to changes of links, addresses, routes and neighbours: says that, not what. After a burst that overran the socket's buffer
// it says that links, addresses and routes changed: the reader then looks at everything.
class NetlinkEvents {
public:
    struct Changes {
        bool links = false;
        bool addresses = false;
        bool routes = false;
        bool default_route = false;  // one of the routes was that
        std::set<std::pair<std::uint32_t, IpAddress>> neighbours;  // interface and address whose MAC is new, another or gone
        [[nodiscard]] bool any() const { return links || addresses || routes || !neighbours.empty(); }
    };

    static Result<NetlinkEvents> open();
    [[nodiscard]] int fd() const { return fd_.get(); }  // readable: call drain()
    // Reads all that is there. Changes of neighbours to and from states that make no difference to us are left out.
    Changes drain();

private:
    explicit NetlinkEvents(Fd fd) : fd_(std::move(fd)) {}
    void note_neighbour(const nlmsghdr* message, Changes& changes);

    Fd fd_;
    std::map<std::pair<std::uint32_t, IpAddress>, Mac> known_;  // neighbours seen, with zeros where there was no MAC
};

}  // namespace penstock::apply
