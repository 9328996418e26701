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
constexpr milliseconds kAnswered{5'000};  // an answer that is older than a question by this is news
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
struct Received {
    std::array<std::uint8_t, 1600> bytes;
    std::size_t size = 0;
    std::uint32_t ifindex = 0;
    int hop_limit = -1;

    [[nodiscard]] std::span<const std::uint8_t> content() const { return std::span(bytes).first(size); }
};

void read_control(msghdr& message, Received& heard) {
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
bool receive(int fd, Received& heard) {
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

// False: it did not leave.
bool Announcer::send(std::uint32_t ifindex, const std::vector<std::uint8_t>& frame, const IpAddress& about) {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(ifindex);
    to.sll_halen = 6;
    std::copy_n(frame.begin(), 6, to.sll_addr);
    const ssize_t done = ::sendto(arp_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    if (done >= 0) {
        trouble_.reset();
    } else if (errno != ENETDOWN && errno != ENOBUFS && errno != EAGAIN && errno != ENXIO && errno != ENODEV) {
        trouble_ = sys_error("announce " + about.text());
    }
    return done >= 0;
}

void Announcer::announce(Due& due, Time now) {
    sent_ += send(due.what.ifindex, announcement(due.what.address, due.what.mac), due.what.address) ? 1 : 0;
    const milliseconds later = kLater + milliseconds(maglev_slot(due.what.address.text(), kSpreadMs));
    due.next = now + (due.times < kFirst.size() ? kFirst[due.times] : later);
    ++due.times;
}

std::optional<Announcer::Time> Announcer::send_due(Time now) {
    std::optional<Time> next;
    for (auto& [address, due] : due_) {
        if (due.next <= now) {
            announce(due, now);
        }
        next = next ? std::min(*next, due.next) : due.next;
    }
    return next;
}

// Who answered is asked alone the next time: on a large link the others need not hear of it.
void Announcer::ask_one(const Announced& what, bool known, Time now) {
    Asked& asked = asked_[what.address];
    const std::optional<Mac> has = asked.what == what ? asked.has : std::nullopt;
    if (send(what.ifindex, question(what.address, what.mac, has), what.address)) {
        asked = {.what = what, .known = known, .has = {}, .until = now + kAnswered};
    }
}

void Announcer::ask(const std::vector<Announced>& who, const std::vector<Announced>& known, Time now) {
    std::erase_if(asked_, [&](const auto& entry) { return entry.second.until < now; });
    std::map<std::uint32_t, std::vector<IpAddress>> links;
    for (const Announced& one : known) {
        links[one.ifindex].push_back(one.address);
    }
    for (const auto& [ifindex, addresses] : links) {
        const std::vector<IpAddress> chosen = witnesses_.choose(ifindex, addresses);
        for (const Announced& one : known) {
            if (one.ifindex == ifindex && std::find(chosen.begin(), chosen.end(), one.address) != chosen.end()) {
                ask_one(one, true, now);
            }
        }
    }
    for (const Announced& one : who) {
        ask_one(one, false, now);
    }
}

// Our own frames come back where two of our interfaces are on one link.
std::set<Mac> Announcer::own_macs() const {
    std::set<Mac> macs;
    for (const auto& [address, due] : due_) {
        macs.insert(due.what.mac);
    }
    for (const auto& [address, asked] : asked_) {
        macs.insert(asked.what.mac);
    }
    return macs;
}

void Announcer::consider(const NeighbourClaim& claim, std::uint32_t ifindex, Hearing& hearing) {
    const auto due = due_.find(claim.address);
    const auto asked = asked_.find(claim.address);
    const bool have = due != due_.end() && due->second.what.ifindex == ifindex;
    const bool waited = asked != asked_.end() && asked->second.what.ifindex == ifindex;
    if ((!have && !waited) || hearing.own.contains(claim.mac)) {
        return;
    }
    if (have || !asked->second.known) {
        hearing.claims.insert(claim.address);
    }
    if (waited) {
        asked->second.has = claim.mac;
        witnesses_.answered(ifindex, claim.address);
        hearing.links.insert(ifindex);
    }
}

Announcer::Heard Announcer::hear(Time now) {
    std::erase_if(asked_, [&](const auto& entry) { return entry.second.until < now; });
    Hearing hearing{.own = own_macs(), .claims = {}, .links = {}};
    Received frame;
    for (int i = 0; i < kReadsMax && receive(arp_.get(), frame); ++i) {
        if (const auto claim = arp_claim(frame.content())) {
            consider(*claim, frame.ifindex, hearing);
        }
    }
    for (int i = 0; i < kReadsMax && receive(icmp_.get(), frame); ++i) {
        if (const auto claim = advertisement_claim(frame.content(), frame.hop_limit)) {
            consider(*claim, frame.ifindex, hearing);
        }
    }
    Heard out{.claims = std::move(hearing.claims), .works = {}};
    for (const auto& [address, asked] : asked_) {
        if (!asked.known && hearing.links.contains(asked.what.ifindex)) {
            out.works.insert(address);
        }
    }
    return out;
}

}  // namespace penstock::apply
