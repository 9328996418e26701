// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/announcer.hpp"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "userspace/base/maglev.hpp"

namespace penstock::apply {

namespace {

using std::chrono::milliseconds;

// After the one before. Linux takes no second word on a neighbour within a second of the first; switches may be learning meanwhile.
constexpr std::array kFirst = {milliseconds(300), milliseconds(900), milliseconds(2'000)};
constexpr milliseconds kLater{30'000};
constexpr int kReadsMax = 256;  // at a time: a flood of them must not hold the loop
constexpr std::uint32_t kSpreadMs = 5'000;  // so that hundreds of addresses do not speak at one moment

Result<Fd> packet_socket() {
    Fd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP)));
    if (!fd.valid()) {
        return sys_error("open a packet socket", "announcing addresses needs CAP_NET_RAW");
    }
    return fd;
}

Result<Fd> advertisement_socket() {
    Fd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
    if (!fd.valid()) {
        return sys_error("open a raw ICMPv6 socket", "announcing addresses needs CAP_NET_RAW");
    }
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
    const int on = 1;
    if (::setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0 ||
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on) != 0 ||
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) != 0) {
        return sys_error("set up a raw ICMPv6 socket");
    }
    return fd;
}

// One message of either socket.
struct Heard {
    std::array<std::uint8_t, 1600> bytes;
    std::size_t size = 0;
    std::uint32_t ifindex = 0;
    int hop_limit = -1;

    [[nodiscard]] std::span<const std::uint8_t> content() const { return std::span(bytes).first(size); }
};

void read_control(msghdr& message, Heard& heard) {
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_HOPLIMIT) {
            std::memcpy(&heard.hop_limit, CMSG_DATA(one), sizeof heard.hop_limit);
        } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(one), sizeof info);
            heard.ifindex = info.ipi6_ifindex;
        }
    }
}

// False: nothing is there.
bool receive(int fd, Heard& heard) {
    iovec part{.iov_base = heard.bytes.data(), .iov_len = heard.bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo))> control = {};
    sockaddr_storage from{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd, &message, 0);
    heard.size = size < 0 ? 0 : static_cast<std::size_t>(size);
    if (from.ss_family == AF_PACKET) {
        heard.ifindex = static_cast<std::uint32_t>(reinterpret_cast<const sockaddr_ll*>(&from)->sll_ifindex);
    }
    read_control(message, heard);
    return size >= 0;
}

}  // namespace

Result<Announcer> Announcer::open() {
    PST_TRY_ASSIGN(Fd arp, packet_socket());
    PST_TRY_ASSIGN(Fd icmp, advertisement_socket());
    return Announcer(std::move(arp), std::move(icmp));
}

void Announcer::keep(const std::vector<Announced>& all, Time now) {
    std::set<IpAddress> kept;
    for (const Announced& one : all) {
        kept.insert(one.address);
        const auto [found, added] = due_.try_emplace(one.address, Due{.what = one, .times = 0, .next = now});
        if (!added && found->second.what != one) {
            found->second = {.what = one, .times = 0, .next = now};
        }
    }
    std::erase_if(due_, [&](const auto& entry) { return !kept.contains(entry.first); });
}

void Announcer::again(const IpAddress& address, Time now) {
    if (const auto found = due_.find(address); found != due_.end()) {
        found->second.next = now;
    }
}

void Announcer::send(Due& due, Time now) {
    const std::vector<std::uint8_t> frame = announcement(due.what.address, due.what.mac);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(due.what.ifindex);
    to.sll_halen = 6;
    std::copy_n(frame.begin(), 6, to.sll_addr);
    const ssize_t done = ::sendto(arp_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    if (done >= 0) {
        ++sent_;
        trouble_.reset();
    } else if (errno != ENETDOWN && errno != ENOBUFS && errno != EAGAIN && errno != ENXIO && errno != ENODEV) {
        trouble_ = sys_error("announce " + due.what.address.text());
    }
    const milliseconds later = kLater + milliseconds(maglev_slot(due.what.address.text(), kSpreadMs));
    due.next = now + (due.times < kFirst.size() ? kFirst[due.times] : later);
    ++due.times;
}

std::optional<Announcer::Time> Announcer::send_due(Time now) {
    std::optional<Time> next;
    for (auto& [address, due] : due_) {
        if (due.next <= now) {
            send(due, now);
        }
        next = next ? std::min(*next, due.next) : due.next;
    }
    return next;
}

void Announcer::consider(const NeighbourClaim& claim, std::uint32_t ifindex, std::set<IpAddress>& out) const {
    const auto found = due_.find(claim.address);
    if (found == due_.end() || found->second.what.ifindex != ifindex) {
        return;
    }
    // Our own frames come back where two of our interfaces are on one link.
    if (std::none_of(due_.begin(), due_.end(), [&](const auto& entry) { return entry.second.what.mac == claim.mac; })) {
        out.insert(claim.address);
    }
}

std::set<IpAddress> Announcer::claims() {
    std::set<IpAddress> out;
    Heard heard;
    for (int i = 0; i < kReadsMax && receive(arp_.get(), heard); ++i) {
        if (const auto claim = arp_claim(heard.content())) {
            consider(*claim, heard.ifindex, out);
        }
    }
    for (int i = 0; i < kReadsMax && receive(icmp_.get(), heard); ++i) {
        if (const auto claim = advertisement_claim(heard.content(), heard.hop_limit)) {
            consider(*claim, heard.ifindex, out);
        }
    }
    return out;
}

}  // namespace penstock::apply
