// SPDX-License-Identifier: Apache-2.0
// The keeper's dealings with the one before it and the one after it; hand_over.hpp says what they tell each other.
#include <csignal>

#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/keeper/keeper.hpp"
#include "userspace/keeper/messages.hpp"

namespace penstock::keeper {

namespace {

constexpr std::int64_t kInheritPatienceMs = 20'000;  // its daemon may be in the middle of something
constexpr std::int64_t kDaemonEndPatienceMs = 10'000;
constexpr std::int64_t kHelloPatienceMs = 2'000;

}  // namespace

Status Keeper::take_over() {
    PST_TRY_ASSIGN(auto inheritance, inherit(config_.hand_over, config_.slots, kInheritPatienceMs));
    if (inheritance) {
        items_ = std::move(inheritance->items);
        predecessor_.emplace(std::move(inheritance->predecessor));
        log::info("{} descriptors come from the keeper before", items_.all().size());
    }
    PST_TRY_ASSIGN(auto socket, HandOverSocket::listen(config_.hand_over));
    hand_over_.emplace(std::move(socket));
    return success();
}

void Keeper::watch_predecessor() {
    if (predecessor_) {
        predecessor_->flush();
        (void)predecessor_->receive();  // it says nothing more: this tells when it has gone
        if (!predecessor_->fault().empty()) {
            predecessor_.reset();
        }
    }
}

// Once our worker serves and our daemon goes on.
void Keeper::tell_predecessor() {
    const Worker* active = find(WorkerState::Active);
    if (!predecessor_ || told_predecessor_ || !daemon_ready_ || active == nullptr || !active->ready) {
        return;
    }
    log::info("this keeper serves: the one before drains");
    send_predecessor_off();
}

void Keeper::send_predecessor_off() {
    TakenT taken;
    taken.generation = items_.published.generation;
    predecessor_->send(encode(std::move(taken)));
    told_predecessor_ = true;
}

void Keeper::watch_successor() {
    while (hand_over_) {
        auto channel = hand_over_->accept();
        if (!channel) {
            break;
        }
        if (!successor_) {  // else there is one already, and this one's channel closes
            successor_.emplace(std::move(*channel));
            hello_by_ms_ = now_ms() + kHelloPatienceMs;
        }
    }
    if (successor_) {
        on_successor_message();
    }
    if (successor_ && !is_succeeded() && now_ms() >= hello_by_ms_) {
        log::warn("who connected to take over says nothing: its channel is closed");
        successor_.reset();
    }
    if (heir_ == Heir::waits && !daemon_) {
        equip_successor();
    } else if (heir_ == Heir::waits && now_ms() >= heir_at_ms_) {
        ::kill(daemon_->pid, SIGKILL);
    } else if (heir_ == Heir::serves && now_ms() >= heir_at_ms_) {
        items_ = Items();  // a socket that the successor drops must not go on to take connections here
    }
    pass_on();
}

void Keeper::equip_successor() {
    successor_->send(encode(hello(kHandOverVersion)));
    WelcomeT welcome;
    welcome.slots = config_.slots;
    successor_->send(encode(welcome));
    for (const auto& [name, descriptors] : items_.all()) {
        if (name.first != ItemKind::AccessLog) {  // it opens its own
            successor_->send(encode(put_message(name)), descriptors);
        }
    }
    if (items_.published.generation != 0) {
        successor_->send(encode(publish_message(items_.published)));
    }
    SyncedT synced;
    synced.generation = items_.published.generation;
    synced.root = items_.published.root;
    successor_->send(encode(synced));
    heir_ = Heir::equipped;
}

// From then on it serves should we die, and nobody beside it.
void Keeper::pass_on() {
    const bool whole = heir_ == Heir::equipped && successor_ && !successor_->waits_to_send() && successor_->fault().empty();
    if (whole && predecessor_ && !passed_on_) {
        predecessor_->send(encode(SyncedT{}));
        passed_on_ = true;
    }
}

void Keeper::on_successor_message() {
    successor_->flush();
    while (successor_->fault().empty()) {
        const Peer::Received received = successor_->receive();
        if (received.message == nullptr) {
            break;
        }
        const HelloT* said = received.message->body.AsHello();
        if (said != nullptr && heir_ == Heir::none) {
            if (said->version != kHandOverVersion || said->role != kRoleSuccessor) {
                RefusedT refused;
                refused.reason = said->version == kHandOverVersion ? "it gives what it holds to a successor only"
                                                                   : "it speaks version " + std::to_string(kHandOverVersion) + ", not " + std::to_string(said->version);
                successor_->send(encode(refused));
                successor_.reset();
                return;
            }
            log::info("another keeper takes over");
            heir_ = Heir::waits;
            heir_at_ms_ = now_ms() + kDaemonEndPatienceMs;
            if (daemon_) {
                ::kill(daemon_->pid, SIGTERM);  // for a successor: the node keeps its addresses
            }
        } else if (received.message->body.type == Body::Taken && heir_ == Heir::equipped) {
            retire();
        } else if (heir_ == Heir::equipped || heir_ == Heir::serves) {
            heir_passed_on_ = said == nullptr && (heir_passed_on_ || received.message->body.type == Body::Synced);
        }
    }
    if (successor_->fault().empty()) {
        return;
    }
    if (!std::exchange(heir_passed_on_, false)) {
        go_on();
        return;
    }
    if (heir_ == Heir::equipped) {
        retire();
    }
    successor_.reset();
}

// Without the one that was to take over, or had.
void Keeper::go_on() {
    const bool succeeded = is_succeeded();
    const std::string why = successor_->fault();
    successor_.reset();
    heir_ = Heir::none;
    if (predecessor_ && std::exchange(passed_on_, false)) {
        predecessor_->send(encode(hello(kHandOverVersion)));
    }
    if (stopping_) {
        predecessor_.reset();  // it goes on
    }
    if (!succeeded || stopping_) {
        return;
    }
    log::warn("the keeper that took over {}: this one goes on", why);
    // It may have taken the path.
    if (auto socket = HandOverSocket::listen(config_.hand_over); socket.ok()) {
        hand_over_.emplace(std::move(socket).value());
    } else {
        log::error("no other keeper can take over: {}", socket.error().report());
    }
    if (const Status made = make_own(); !made.ok()) {
        log::error("{}", made.error().report());
    }
    daemon_start_ms_ = now_ms();
}

// Connections have their time to end; should the successor die, this one serves again, with what is still held of it.
void Keeper::retire() {
    log::info("another keeper serves: this one's connections end within {} ms, then it waits for its end", drain_ms());
    hand_over_.reset();
    if (predecessor_) {
        if (!told_predecessor_) {
            send_predecessor_off();  // or it would go on beside the one that serves
        }
        predecessor_->send(encode(SyncedT{}));
        predecessor_.reset();
    }
    heir_ = Heir::serves;
    heir_at_ms_ = now_ms() + drain_ms();
    drain_workers();
}

}  // namespace penstock::keeper
