// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/hand_over.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/keeper/messages.hpp"
#include "userspace/keeper/own_items.hpp"
#include "userspace/keeper/process.hpp"

namespace penstock::keeper {

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Error{.code = Errc::invalid, .what = "the path " + path + " is too long for a Unix socket", .hint = "choose a shorter --state-dir"};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// Who connected, or who listens; root and we ourselves count as ours.
bool is_ours(int socket) {
    ucred peer = {};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == ::geteuid());
}

Result<std::optional<Fd>> connect_to(const std::string& path) {
    PST_TRY_ASSIGN(const sockaddr_un address, address_of(path));
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket.valid()) {
        return sys_error("open a socket to the keeper before");
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) {
            return std::optional<Fd>();
        }
        return sys_error("connect to " + path);
    }
    if (!is_ours(socket.get())) {
        return Error{.code = Errc::denied, .what = "who listens on " + path + " is another user", .hint = "only this user may write to the state folder"};
    }
    return std::optional<Fd>(std::move(socket));
}

class Heir {
public:
    Heir(std::uint32_t slots, Inheritance& into) : slots_(slots), into_(into) {}

    // True: that was all.
    Result<bool> take(Peer::Received received) {
        BodyUnion& body = received.message->body;
        if (const RefusedT* refused = body.AsRefused()) {
            return Error{.code = Errc::unsupported, .what = "the keeper before refuses: " + refused->reason, .hint = "stop it first"};
        }
        if (const HelloT* said = body.AsHello(); said != nullptr && said->version != kHandOverVersion) {
            return Error{.code = Errc::unsupported, .what = "the keeper before speaks version " + std::to_string(said->version), .hint = "stop it first"};
        }
        if (const WelcomeT* welcome = body.AsWelcome()) {
            same_slots_ = welcome->slots == slots_;
            if (!same_slots_) {
                log::warn("the keeper before has sockets for {} threads, not {}: they are opened anew", welcome->slots, slots_);
            }
        } else if (const PutT* put = body.AsPut()) {
            this->put(*put, std::move(received.fds));
        } else if (const PublishT* publish = body.AsPublish()) {
            into_.items.published = {publish->generation, publish->root, publish->drain_ms};
        }
        return body.type == Body::Synced;
    }

private:
    void put(const PutT& put, std::vector<Fd> fds) {
        const std::size_t wanted = put.kind == ItemKind::Socket ? slots_ : 1;
        if (put.kind == ItemKind::AccessLog || fds.size() != wanted || (put.kind == ItemKind::Socket && !same_slots_)) {
            return;
        }
        if (put.kind == ItemKind::StatsPage && !is_stats_page(fds.front(), slots_)) {
            log::info("the stats page before is of another layout: counters begin anew");
            return;
        }
        into_.items.put(put.kind, put.name, std::make_shared<const std::vector<Fd>>(std::move(fds)));
    }

    std::uint32_t slots_;
    Inheritance& into_;
    bool same_slots_ = false;
};

}  // namespace

Result<HandOverSocket> HandOverSocket::listen(const std::string& path) {
    const std::string fresh = path + ".new";
    PST_TRY_ASSIGN(const sockaddr_un address, address_of(fresh));
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::unlink(fresh.c_str());
    if (!socket.valid() || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::chmod(fresh.c_str(), 0600) != 0 ||
        ::listen(socket.get(), 4) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
        return sys_error("listen on " + path, "the state folder must be there, and ours to write");
    }
    return HandOverSocket(path, std::move(socket));
}

std::optional<Fd> HandOverSocket::accept() {
    Fd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) {
        return std::nullopt;
    }
    if (!is_ours(peer.get())) {
        log::warn("another user asks for what this keeper holds: refused");
        return std::nullopt;
    }
    return peer;
}

void HandOverSocket::remove() { ::unlink(path_.c_str()); }

Result<std::optional<Inheritance>> inherit(const std::string& path, std::uint32_t slots, std::int64_t patience_ms) {
    PST_TRY_ASSIGN(auto socket, connect_to(path));
    if (!socket) {
        return std::optional<Inheritance>();
    }
    Inheritance inheritance{.items = {}, .predecessor = Peer(std::move(*socket))};
    Peer& peer = inheritance.predecessor;
    HelloT asked = hello(kHandOverVersion);
    asked.role = kRoleSuccessor;
    peer.send(encode(std::move(asked)));
    Heir heir(slots, inheritance);
    const std::int64_t until = now_ms() + patience_ms;
    for (;;) {
        Peer::Received received = peer.receive();
        if (!peer.fault().empty()) {
            return Error{.code = Errc::invalid, .what = "take over from the keeper before: it " + peer.fault(), .hint = "stop it first"};
        }
        if (received.message != nullptr) {
            PST_TRY_ASSIGN(const bool whole, heir.take(std::move(received)));
            if (whole) {
                return std::optional<Inheritance>(std::move(inheritance));
            }
            continue;
        }
        const std::int64_t left = until - now_ms();
        if (left <= 0) {
            return Error{.code = Errc::timeout, .what = "the keeper before did not hand over what it holds", .hint = "stop it first"};
        }
        pollfd polled = {peer.fd(), POLLIN, 0};
        ::poll(&polled, 1, static_cast<int>(left));
    }
}

}  // namespace penstock::keeper
