// SPDX-License-Identifier: Apache-2.0
// The keeper's dealings with the daemon: starting it again, and what the two tell each other.
#include <algorithm>
#include <csignal>

#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/keeper/keeper.hpp"
#include "userspace/keeper/messages.hpp"
#include "userspace/keeper/own_items.hpp"

namespace penstock::keeper {

void Keeper::start_daemon() {
    auto started = start(Command{.argv = config_.daemon, .user = std::nullopt, .files_max = kFilesMax});
    daemon_backoff_.started(now_ms());
    if (!started.ok()) {
        log::error("{}", started.error().report());
        daemon_start_ms_ = daemon_backoff_.ended(now_ms());
        return;
    }
    daemon_ = std::move(started).value();
    daemon_peer_.emplace(std::move(daemon_->channel));
    daemon_greeted_ = daemon_ready_ = false;
    log::info("{} started, pid {}", kDaemonProgram, daemon_->pid);
}

void Keeper::daemon_ended(const Ended& ended) {
    if (!stopping_ && !is_succeeded()) {
        log::warn("{} {} ended: {}", kDaemonProgram, daemon_->pid, ended.text);
    }
    daemon_.reset();
    daemon_peer_.reset();
    daemon_start_ms_ = daemon_backoff_.ended(now_ms());
    ++daemon_restarts_;
    const bool hopeless = ended.exit_code == 0 || ended.exit_code == kExitUsage || ended.exit_code == kExitFailed || ended.exit_code == 127;
    // The one before can still go on without us.
    const bool dispensable = !daemon_was_greeted_ || (predecessor_ && !told_predecessor_);
    if (dispensable && hopeless && !stopping_ && !is_succeeded()) {
        exit_code_ = ended.exit_code;
    }
}

void Keeper::on_daemon_message() {
    daemon_peer_->flush();
    while (daemon_peer_ && daemon_peer_->fault().empty()) {
        Peer::Received received = daemon_peer_->receive();
        if (received.message == nullptr) {
            break;
        }
        take(std::move(received));
    }
    if (daemon_peer_ && !daemon_peer_->fault().empty()) {
        if (!is_succeeded()) {
            log::warn("{}: {}", kDaemonProgram, daemon_peer_->fault());
        }
        daemon_peer_.reset();
        if (daemon_) {
            ::kill(daemon_->pid, SIGTERM);
        }
    }
}

bool Keeper::tell_daemon(std::vector<std::uint8_t> bytes, Descriptors descriptors) {
    if (!daemon_peer_ || !daemon_greeted_) {
        return false;
    }
    daemon_peer_->send(std::move(bytes), std::move(descriptors));
    return true;
}

void Keeper::greet_daemon() {
    daemon_greeted_ = daemon_was_greeted_ = true;
    tell_daemon(encode(hello()));
    WelcomeT welcome;
    welcome.slots = config_.slots;
    tell_daemon(encode(welcome));
    for (const auto& [name, descriptors] : items_.all()) {
        if (name.first == ItemKind::StatsPage) {
            tell_daemon(encode(put_message(name)), descriptors);
            continue;
        }
        if (name.first == ItemKind::AccessLog) {
            continue;  // none of its business
        }
        ItemT item;
        item.kind = name.first;
        item.name = name.second;
        tell_daemon(encode(item));
    }
    for (Worker& worker : workers_) {
        set_state(worker, worker.state, "");
        if (worker.about) {
            tell_daemon(encode(*worker.about));
        }
    }
    SyncedT synced;
    synced.generation = items_.published.generation;
    synced.root = items_.published.root;
    tell_daemon(encode(synced));
    // Said last, so that the daemon knows what the numbers refer to.
    for (Worker& worker : workers_) {
        if (has_said(worker)) {
            tell_taken(worker);
        }
    }
}

void Keeper::keep_ingredient(const PutT& put, Fd fd) {
    auto descriptors = std::make_shared<std::vector<Fd>>();
    descriptors->push_back(std::move(fd));
    items_.put(put.kind, put.name, descriptors);
    ingredient_to_workers({put.kind, put.name}, descriptors);
}

void Keeper::take(Peer::Received received) {
    if (const HelloT* said = received.message->body.AsHello()) {
        if (said->version != kProtocolVersion) {
            RefusedT refused;
            refused.reason = "the keeper speaks version " + std::to_string(kProtocolVersion) + ", not " + std::to_string(said->version);
            daemon_peer_->send(encode(refused));
            log::error("{} speaks version {} of the keeper's protocol, we speak {}", kDaemonProgram, said->version, kProtocolVersion);
            return;
        }
        greet_daemon();
        return;
    }
    if (!daemon_greeted_) {
        return;  // nothing counts before a Hello
    }
    if (const PutT* put = received.message->body.AsPut()) {
        const bool whole = put->kind == ItemKind::Socket ? received.fds.size() == config_.slots : received.fds.size() == 1;
        if (!whole || is_own(put->kind)) {
            log::error("{} put {} \"{}\" with {} descriptors: refused", kDaemonProgram, EnumNameItemKind(put->kind), put->name, received.fds.size());
            return;
        }
        if (put->kind != ItemKind::Socket) {
            keep_ingredient(*put, std::move(received.fds[0]));
            return;
        }
        Descriptors descriptors = std::make_shared<const std::vector<Fd>>(std::move(received.fds));
        items_.put(put->kind, put->name, descriptors);
        to_workers(encode(*put), descriptors);
    } else if (const DropT* drop = received.message->body.AsDrop(); drop != nullptr && !is_own(drop->kind)) {
        items_.drop(drop->kind, drop->name);
        to_workers(encode(*drop));
    } else if (const PublishT* publish = received.message->body.AsPublish()) {
        const auto& brings = publish->brings;
        if (brings.size() != received.fds.size() || std::any_of(brings.begin(), brings.end(), [](const auto& one) { return is_own(one->kind) || one->kind == ItemKind::Socket; })) {
            log::error("{} published {} and brings {} items with {} descriptors, or what cannot be brought: refused", kDaemonProgram, publish->root, brings.size(), received.fds.size());
            return;
        }
        for (std::size_t i = 0; i < brings.size(); ++i) {
            keep_ingredient(*brings[i], std::move(received.fds[i]));
        }
        items_.published = {publish->generation, publish->root, publish->drain_ms};
        this->publish();
    } else if (received.message->body.type == Body::Ready) {
        daemon_ready_ = true;
        tell_predecessor();
    }
}

}  // namespace penstock::keeper
