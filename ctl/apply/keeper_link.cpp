// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/keeper_link.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "schema/keeper.hpp"
#include "userspace/base/memfd.hpp"

namespace penstock::apply {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kFileName = "penstock-item";
constexpr std::size_t kFilesAhead = 4;  // most changes bring two or three items

bool readable(int fd, int ms) {
    pollfd polled = {fd, POLLIN, 0};
    return ::poll(&polled, 1, ms) > 0;
}

}  // namespace

Result<std::unique_ptr<KeeperLink>> KeeperLink::open(int patience_ms) {
    const char* number = std::getenv(keeper::kKeeperFdEnv);
    if (number == nullptr) {
        return Error{.code = Errc::not_found, .what = "find the keeper", .hint = "start the daemon by penstock-keeper, or by its own name without " + std::string(keeper::kKeeperFdEnv)};
    }
    return over(Fd(std::atoi(number)), patience_ms);
}

Result<std::unique_ptr<KeeperLink>> KeeperLink::over(Fd channel, int patience_ms) {
    std::unique_ptr<KeeperLink> link(new KeeperLink(std::move(channel)));
    keeper::HelloT hello;
    hello.version = keeper::kProtocolVersion;
    hello.role = "daemon";
    hello.pid = ::getpid();
    PST_TRY(link->send(keeper::encode(hello)));
    PST_TRY(link->wait_for_sync(patience_ms));
    return link;
}

KeeperLink::~KeeperLink() {
    if (stats_ != nullptr) {
        ::munmap(stats_, sizeof(StatsPage));
    }
}

Status KeeperLink::wait_for_sync(int patience_ms) {
    const auto end = Clock::now() + std::chrono::milliseconds(patience_ms);
    while (!synced_) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0 || !readable(channel_.get(), static_cast<int>(left))) {
            return Error{.code = Errc::timeout, .what = "hear from the keeper"};
        }
        bool none = false;
        PST_TRY(receive_one(none));
    }
    return success();
}

Status KeeperLink::receive() {
    for (bool none = false; !none && readable(channel_.get(), 0);) {
        PST_TRY(receive_one(none));
    }
    return success();
}

Status KeeperLink::receive_one(bool& none) {
    auto received = channel_receive(channel_.get());
    if (!received.ok()) {
        none = received.error().sys_errno == EAGAIN;
        return none ? success() : Status(std::move(received).error());
    }
    auto message = keeper::decode(received->bytes);
    if (message == nullptr) {
        return Error{.code = Errc::invalid, .what = "the keeper sent bytes that are no message"};
    }
    take(*message, received->fds);
    if (!refused_.empty()) {
        return Error{.code = Errc::unsupported, .what = "the keeper refuses us: " + refused_, .hint = "keeper and daemon must be of one version: restart the keeper"};
    }
    return success();
}

void KeeperLink::take(keeper::MessageT& message, std::vector<Fd>& fds) {
    if (const auto* hello = message.body.AsHello()) {
        keeper_pid_ = hello->pid;
    } else if (const auto* refused = message.body.AsRefused()) {
        refused_ = refused->reason;
    } else if (const auto* welcome = message.body.AsWelcome()) {
        slots_ = welcome->slots;
    } else if (const auto* item = message.body.AsItem()) {
        held_.emplace(item->kind, item->name);
    } else if (const auto* put = message.body.AsPut(); put != nullptr && put->kind == keeper::ItemKind::StatsPage && fds.size() == 1) {
        map_stats(fds[0]);
    } else if (const auto* synced = message.body.AsSynced()) {
        synced_ = true;
        published_generation_ = synced->generation;
        published_root_ = synced->root;
    } else if (const auto* event = message.body.AsWorkerEvent()) {
        worker_restarts_ = event->restarts;
        if (event->state == keeper::WorkerState::Exited) {
            workers_.erase(event->pid);
        } else {
            auto& worker = workers_[event->pid];
            worker.pid = event->pid;
            worker.state = event->state;
            worker.detail = event->detail;
            worker.restarts = event->restarts;
        }
    } else if (const auto* about = message.body.AsAbout()) {
        if (const auto worker = workers_.find(about->pid); worker != workers_.end()) {
            worker->second.ring = about->ring;
            worker->second.ring_reason = about->ring_reason;
            worker->second.unconfined = about->unconfined;
        }
    } else if (const auto* taken = message.body.AsTaken()) {
        if (const auto worker = workers_.find(taken->pid); worker != workers_.end() && taken->refused.empty()) {
            worker->second.generation = taken->generation;
        }
        if (!taken->standby && on_taken) {
            on_taken(*taken);
        }
    }
}

void KeeperLink::map_stats(const Fd& fd) {
    if (stats_ != nullptr) {
        return;
    }
    void* memory = ::mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) {
        return;
    }
    auto* page = static_cast<StatsPage*>(memory);
    if (page->magic != kStatsMagic || page->version != kStatsVersion) {
        ::munmap(memory, sizeof(StatsPage));
        return;
    }
    stats_ = page;
}

Status KeeperLink::send(const std::vector<std::uint8_t>& bytes, const std::vector<int>& fds) {
    PST_TRY(send_waiting());
    return channel_send(channel_.get(), bytes, fds);
}

bool KeeperLink::fit_one_publish() const {
    return keeper::fit_one_publish(waiting_.begin(), waiting_.end(), [](const Brought& one) { return one.name.size(); });
}

Status KeeperLink::send_waiting() {
    auto next = waiting_.begin();
    Status sent = success();
    for (; next != waiting_.end(); ++next) {
        keeper::PutT message;
        message.kind = next->kind;
        message.name = next->name;
        if (sent = channel_send(channel_.get(), keeper::encode(message), std::vector<int>{next->file.get()}); !sent.ok()) {
            break;
        }
    }
    waiting_.erase(waiting_.begin(), next);
    return sent;
}

Status KeeperLink::put(keeper::ItemKind kind, const std::string& name, const std::vector<int>& fds) {
    keeper::PutT message;
    message.kind = kind;
    message.name = name;
    PST_TRY(send(keeper::encode(message), fds));
    held_.emplace(kind, name);
    return success();
}

Status KeeperLink::put_bytes(keeper::ItemKind kind, const std::string& name, std::string_view bytes) {
    if (files_.empty()) {
        PST_TRY_ASSIGN(Fd made, empty_memfd(kFileName));
        files_.push_back(std::move(made));
    }
    Fd file = std::move(files_.back());
    files_.pop_back();
    PST_TRY(fill_and_seal(file, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
    waiting_.push_back({.kind = kind, .name = name, .file = std::move(file)});
    held_.emplace(kind, name);
    return fit_one_publish() ? success() : send_waiting();
}

void KeeperLink::make_files() {
    while (files_.size() < kFilesAhead) {
        auto made = empty_memfd(kFileName);
        if (!made.ok()) {
            return;  // put_bytes() will say it
        }
        files_.push_back(std::move(made).value());
    }
}

Status KeeperLink::drop(keeper::ItemKind kind, const std::string& name) {
    keeper::DropT message;
    message.kind = kind;
    message.name = name;
    PST_TRY(send(keeper::encode(message)));
    held_.erase({kind, name});
    return success();
}

Status KeeperLink::tell_ready() { return send(keeper::encode(keeper::ReadyT{})); }

Status KeeperLink::publish(std::uint64_t generation, const std::string& root, std::uint32_t drain_ms) {
    keeper::PublishT message;
    message.generation = generation;
    message.root = root;
    message.drain_ms = drain_ms;
    if (!fit_one_publish()) {  // sending has failed before
        PST_TRY(send_waiting());
    }
    std::vector<int> fds;
    for (const Brought& one : waiting_) {
        auto put = std::make_unique<keeper::PutT>();
        put->kind = one.kind;
        put->name = one.name;
        message.brings.push_back(std::move(put));
        fds.push_back(one.file.get());
    }
    PST_TRY(channel_send(channel_.get(), keeper::encode(message), fds));
    waiting_.clear();
    published_generation_ = generation;
    published_root_ = root;
    return success();
}

}  // namespace penstock::apply
