// SPDX-License-Identifier: Apache-2.0
// Unconnected datagram sockets: where a datagram came from, where it was sent to, and answering from that address.
#include <cstring>

#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {

IpAddress address_of(const in_addr& v4) { return IpAddress::v4(ntohl(v4.s_addr)); }

IpAddress address_of(const in6_addr& v6) {
    IpAddress address;
    std::memcpy(address.bytes.data(), &v6, 16);
    address.family = IN6_IS_ADDR_V4MAPPED(&v6) ? Family::v4 : Family::v6;
    return address;
}

IpAddress destination(char* control, std::size_t size) {
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = size;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            return address_of(info.ipi_addr);
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof info);
            return address_of(info.ipi6_addr);
        }
    }
    return {};
}

bool is_v6_socket(int fd) {
    int domain = AF_INET;
    socklen_t size = sizeof domain;
    ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    return domain == AF_INET6;
}

}  // namespace

PortState::Deadline::Deadline(PortState& owner)
    : Timer([](Timer& timer) {
          PortState& state = static_cast<Deadline&>(timer).port;
          if (state.loop.now() < state.receive_until) {
              state.loop.timers().arm(timer, state.receive_until);
          } else if (state.reader != nullptr) {
              state.reader->cancel(ETIMEDOUT);
          }
      }),
      port(owner) {}

PortState::PortState(Loop& owner, BufferPool& buffers, Fd descriptor)
    : ReceiveState(owner, buffers, descriptor.get()), owned(std::move(descriptor)), deadline(*this) {
    datagram = port = true;
    v6 = is_v6_socket(fd);
}

void PortState::notify() {
    if (reader != nullptr && reader->waiting()) {
        receive_until = kNever;
        reader->finish(0);
    }
}

Datagram PortState::pop() {
    Datagram got;
    if (inbox.empty()) {
        got.error = std::exchange(error, 0);
        return got;
    }
    got.buffer = inbox.pop(*pool);
    DatagramHeader header{};
    std::uint8_t* data = got.buffer.data();
    std::memcpy(&header, data, sizeof header);
    sockaddr_storage name{};
    std::memcpy(&name, data + sizeof header, std::min<std::size_t>(header.name_size, kNameBytes));
    got.from = Endpoint::from_sockaddr(name).value_or(Endpoint{});
    got.to = destination(reinterpret_cast<char*>(data + sizeof header + kNameBytes),
                         std::min<std::size_t>(header.control_size, kControlBytes));
    got.buffer.remove_prefix(kDatagramHead);
    got.buffer.truncate(std::min<std::size_t>(header.payload_size, got.buffer.size()));
    return got;
}

void PortState::close() {
    closed = true;
    loop.timers().disarm(deadline);
    unlink();
    inbox.clear(*pool);
    if (reader != nullptr) {
        std::exchange(reader, nullptr)->abandon();
    }
    Internals::engine(loop).close(*this);
}

DatagramWait::~DatagramWait() {
    PST_ASSERT(!waiting());
    if (port_ != nullptr && port_->reader == this) {
        port_->reader = nullptr;
    }
}

bool DatagramWait::start(Scope& scope, std::coroutine_handle<> who) {
    PortState& p = *port_;
    PST_ASSERT(p.reader == nullptr);
    if (scope.cancelled() != 0) {
        error_ = scope.cancelled();
        return false;
    }
    p.reader = this;
    if (!p.has_input()) {
        Internals::engine(p.loop).receive(p);
    }
    if (p.has_input() && Internals::spend_immediate(p.loop)) {
        return false;
    }
    begin(scope, who);
    if (p.has_input()) {
        finish(0);
        return true;
    }
    p.receive_until = deadline_;
    if (deadline_ < p.deadline.when()) {
        p.loop.timers().arm(p.deadline, deadline_);
    }
    return true;
}

void DatagramWait::on_cancel(int error) {
    port_->receive_until = kNever;
    port_->unlink();
    finish(error);
}

void DatagramWait::abandon() {
    port_ = nullptr;
    if (waiting()) {
        finish(ECANCELED);
    } else {
        error_ = ECANCELED;
    }
}

Datagram DatagramWait::await_resume() {
    if (port_ != nullptr) {
        port_->reader = nullptr;
    }
    if (error_ != 0) {
        Datagram none;
        none.error = error_;
        return none;
    }
    return std::exchange(port_, nullptr)->pop();
}

Port& Port::operator=(Port&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
}

void Port::close() {
    if (state_ != nullptr) {
        std::exchange(state_, nullptr)->close();
    }
}

int Port::fd() const { return state_->fd; }

namespace {

template <class Info>
void attach(Posting& posting, int level, int type, const Info& info) {
    posting.message.msg_control = posting.control.data();
    posting.message.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* c = CMSG_FIRSTHDR(&posting.message);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
}

void set_source(Posting& posting, const IpAddress& from, bool v6) {
    if (from.is_any()) {
        return;
    }
    if (v6) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, from.bytes.data(), 16);
        attach(posting, IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, from.bytes.data() + 12, 4);
        attach(posting, IPPROTO_IP, IP_PKTINFO, info);
    }
}

socklen_t name_of(const Endpoint& to, bool v6, sockaddr_storage& out) {
    if (!v6 || to.address.family == Family::v6) {
        return to.to_sockaddr(out);
    }
    sockaddr_in6 mapped{};  // an IPv6 socket that serves IPv4, too
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = htons(to.port);
    std::memcpy(&mapped.sin6_addr, to.address.bytes.data(), 16);
    std::memcpy(&out, &mapped, sizeof mapped);
    return sizeof mapped;
}

}  // namespace

bool Port::post(Buffer datagram, const Endpoint& to, const IpAddress& from) {
    Engine& engine = Internals::engine(state_->loop);
    Posting* posting = engine.prepare(*state_, std::move(datagram));
    if (posting == nullptr) {
        return false;
    }
    posting->message.msg_name = &posting->name;
    posting->message.msg_namelen = name_of(to, state_->v6, posting->name);
    set_source(*posting, from, state_->v6);
    return engine.post(*posting);
}

}  // namespace penstock::ring
