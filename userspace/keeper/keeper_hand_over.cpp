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

void Keeper::watch_successor() {
    while (hand_over_) {
        auto channel = hand_over_->accept();
        if (!channel) {
            break;
        }
        if (!successor_) {  // else there is one already, and this one's channel closes
            successor_.emplace(std::move(*channel));
        }
    }
    if (successor_) {
        on_successor_message();
    }
    if (heir_ == Heir::waits) {
        if (!daemon_) {
            equip_successor();
        } else if (now_ms() >= heir_kill_at_ms_) {
            ::kill(daemon_->pid, SIGKILL);
        }
    }
}

void Keeper::equip_successor() {
    successor_->send(encode(hello()));
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

void Keeper::on_successor_message() {
    successor_->flush();
    while (successor_->fault().empty()) {
        const Peer::Received received = successor_->receive();
        if (received.message == nullptr) {
            break;
        }
        const HelloT* said = received.message->body.AsHello();
        if (said != nullptr && heir_ == Heir::none) {
            if (said->version != kProtocolVersion || said->role != kRoleSuccessor) {
                RefusedT refused;
                refused.reason = "it speaks version " + std::to_string(kProtocolVersion) + ", not " + std::to_string(said->version);
                successor_->send(encode(refused));
                successor_.reset();
                return;
            }
            log::info("another keeper takes over");
            heir_ = Heir::waits;
            heir_kill_at_ms_ = now_ms() + kDaemonEndPatienceMs;
            if (daemon_) {
                ::kill(daemon_->pid, SIGTERM);  // for a successor: the node keeps its addresses
            }
        } else if (received.message->body.type == Body::Taken && heir_ == Heir::equipped) {
            retire();
            return;
        }
    }
    if (!successor_->fault().empty()) {
        if (is_succeeded()) {
            log::warn("the keeper that was to take over {}: this one goes on", successor_->fault());
        }
        successor_.reset();
        heir_ = Heir::none;
    }
}

// What is held is let go with its last user: a socket that the successor drops must not go on to take connections here.
void Keeper::retire() {
    log::info("another keeper serves: this one's connections end within {} ms, then it waits for its end", config_.drain_ms);
    heir_ = Heir::serves;
    successor_.reset();
    hand_over_.reset();
    items_ = Items();
    drain_workers();
}

}  // namespace penstock::keeper
