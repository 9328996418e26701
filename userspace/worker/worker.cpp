// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/worker.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "schema/keeper.hpp"
#include "userspace/base/channel.hpp"
#include "userspace/base/log.hpp"

namespace penstock::worker {

namespace {

constexpr std::size_t kItemBytesMax = 512U << 20;

Fd duplicate_of(const Fd& fd) { return fd.duplicate(); }

}  // namespace

Worker::~Worker() {
    threads_.clear();  // before the page that they count in
    if (stats_ != nullptr) {
        ::munmap(stats_, sizeof(StatsPage));
    }
}

Status Worker::run(Fd channel) {
    channel_ = std::move(channel);
    // Few events and long waits: the simple kind.
    PST_TRY_ASSIGN(loop_, ring::Loop::create({.kind = ring::Kind::epoll}));
    keeper::HelloT hello;
    hello.version = keeper::kProtocolVersion;
    hello.role = "worker";
    hello.pid = ::getpid();
    say(keeper::encode(hello));
    loop_->spawn(listen_to_keeper());
    loop_->run();
    return success();
}

void Worker::say(std::vector<std::uint8_t> bytes) {
    if (auto sent = channel_send(channel_.get(), bytes); !sent.ok()) {
        log::warn("{}", sent.error().report());
    }
}

ring::Task<> Worker::listen_to_keeper() {
    while (co_await loop_->readable(channel_.get()) == 0) {
        auto received = channel_receive(channel_.get());
        if (!received.ok()) {
            if (received.error().sys_errno == EAGAIN) {
                continue;
            }
            log::warn("the keeper is gone: ending");
            break;
        }
        auto message = keeper::decode(received->bytes);
        if (message == nullptr) {
            log::error("the keeper sent bytes that are no message: ending");
            break;
        }
        take(*message, std::move(received->fds));
    }
    loop_->stop();
}

void Worker::take(keeper::MessageT& message, std::vector<Fd> fds) {
    if (const auto* given = message.body.AsPut()) {
        put(*given, std::move(fds));
    } else if (const auto* dropped = message.body.AsDrop()) {
        memory_.erase({dropped->kind, dropped->name});
        if (dropped->kind == keeper::ItemKind::Socket) {
            sockets_.erase(dropped->name);
            handed_.erase(dropped->name);
        }
    } else if (const auto* published = message.body.AsPublish()) {
        for (std::size_t i = 0; i < std::min(published->brings.size(), fds.size()); ++i) {
            std::vector<Fd> one;
            one.push_back(std::move(fds[i]));
            put(*published->brings[i], std::move(one));
        }
        publish(*published);
        // What the tables hold is copied out of the memory files, and their bytes, keys above all, need not stay. Not before that is
        // handed over: clients wait for it.
        for (Memory* memory : std::exchange(in_use_, {})) {
            memory->content.reset();
        }
    } else if (message.body.type == keeper::Body::Activate) {
        active_ = true;
        if (tables_ != nullptr) {
            hand_over();
        }
    } else if (const auto* wished = message.body.AsDrain()) {
        drain(wished->deadline_ms);
    } else if (const auto* refused = message.body.AsRefused()) {
        log::error("the keeper refuses us: {}", refused->reason);
        loop_->stop();
    }
}

void Worker::put(const keeper::PutT& given, std::vector<Fd> fds) {
    if (given.kind == keeper::ItemKind::Socket) {
        sockets_[given.name] = std::move(fds);
        handed_.erase(given.name);
        // A socket that could not be had when its port was published comes later.
        if (tables_ != nullptr && tables_->ports.contains(given.name)) {
            hand_over();
        }
        return;
    }
    if (fds.size() != 1) {
        return;
    }
    if (given.kind == keeper::ItemKind::StatsPage) {
        if (auto mapped = map_stats(fds[0]); !mapped.ok()) {
            log::warn("no stats page: {}", mapped.error().report());
        }
        return;
    }
    if (given.kind == keeper::ItemKind::AccessLog) {
        if (log_ != nullptr) {
            log_->go_on_with(std::move(fds[0]));
        } else {
            log_to_ = std::move(fds[0]);
        }
        return;
    }
    memory_[{given.kind, given.name}] = Memory{std::move(fds[0]), std::nullopt};
}

Status Worker::map_stats(const Fd& fd) {
    if (stats_ != nullptr) {
        return success();
    }
    void* memory = ::mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) {
        return sys_error("map it");
    }
    auto* page = static_cast<StatsPage*>(memory);
    if (page->magic != kStatsMagic || page->version != kStatsVersion) {
        ::munmap(memory, sizeof(StatsPage));
        return Error{.code = Errc::unsupported, .what = "it has another layout"};
    }
    stats_ = page;
    return success();
}

Status Worker::start_threads() {
    if (!threads_.empty()) {
        return success();
    }
    if (stats_ == nullptr) {
        PST_TRY_ASSIGN(auto page, zeroed<StatsPage>());
        stats_ = page.release();
    }
    PST_TRY_ASSIGN(shared_, zeroed<proxy::SharedPage>());
    log_ = std::make_unique<proxy::LineWriter>(log_to_.valid() ? std::move(log_to_) : Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)));
    ring::Options options;
    options.kind = config_.ring;
    for (std::uint32_t slot = 0; slot < config_.slots; ++slot) {
        PST_TRY_ASSIGN(auto thread, Thread::start(options, config_.kernel_tls, *stats_, slot, *shared_, newest_, *log_));
        threads_.push_back(std::move(thread));
    }
    log::info("{} threads on {}: {}", threads_.size(), ring::to_string(threads_[0]->kind()), threads_[0]->kind_reason());
    keeper::AboutT about;
    about.pid = ::getpid();
    about.ring = ring::to_string(threads_[0]->kind());
    about.ring_reason = threads_[0]->kind_reason();
    if (auto confined = config_.confine(); !confined.ok()) {
        log::error("not confined: {}", confined.error().report());
        about.unconfined = confined.error().sentence();
    }
    say(keeper::encode(std::move(about)));
    return success();
}

Result<std::span<const std::uint8_t>> Worker::bytes_of(keeper::ItemKind kind, const std::string& name) {
    const auto found = memory_.find({kind, name});
    if (found == memory_.end()) {
        return Error{.code = Errc::not_found, .what = std::string(EnumNameItemKind(kind)) + " " + name + " was not sent"};
    }
    Memory& memory = found->second;
    if (!memory.content) {
        PST_TRY_ASSIGN(memory.content, SealedBytes::of(memory.fd.get(), kItemBytesMax));
        in_use_.push_back(&memory);
    }
    return memory.content->bytes();
}

void Worker::publish(const keeper::PublishT& published) {
    keeper::TakenT taken;
    taken.generation = published.generation;
    taken.pid = ::getpid();
    taken.standby = !active_;
    auto refuse = [&](const Error& error) {
        log::error("generation {}: {}", published.generation, error.report());
        taken.refused = error.message();
        say(keeper::encode(std::move(taken)));
    };
    if (auto started = start_threads(); !started.ok()) {
        return refuse(started.error());
    }
    auto root = bytes_of(keeper::ItemKind::Root, published.root);
    if (!root.ok()) {
        return refuse(root.error());
    }
    const proxy::Storage storage = {.list = [this](const std::string& name) { return bytes_of(keeper::ItemKind::Parts, name); },
                                    .key = [this](const std::string& name) { return bytes_of(keeper::ItemKind::Key, name); }};
    auto built = proxy::build_tables(*root, storage, tables_.get());
    if (!built.ok()) {
        return refuse(built.error());
    }
    tables_ = built->tables;
    newest_.set(tables_);
    for (const proxy::FailedPart& part : built->failed) {
        log::error("part {}: {}", part.part, part.reason);
        auto failed = std::make_unique<keeper::FailedPartT>();
        failed->part = part.part;
        failed->reason = part.reason;
        taken.failed.push_back(std::move(failed));
    }
    hand_over();
    // hand_over() has only posted: the answer goes out when the last thread has taken it.
    auto left = std::make_shared<std::atomic<std::size_t>>(threads_.size());
    auto answer = std::make_shared<keeper::TakenT>(std::move(taken));
    for (auto& thread : threads_) {
        thread->when_idle([this, left, answer] {
            if (left->fetch_sub(1) == 1) {
                loop_->post([this, answer] {
                    say(keeper::encode(std::move(*answer)));
                    // No thread has the old tables any more.
                    if (const std::size_t parts = tables_->made.size(); trimmer_.due(parts)) {
                        trimmer_.trim(parts);
                    }
                });
            }
        });
    }
}

void Worker::hand_over() {
    const bool accept = active_ && !draining_;
    for (std::size_t slot = 0; slot < threads_.size(); ++slot) {
        SlotSockets fresh;
        for (const auto& [name, fds] : sockets_) {
            if (!handed_.contains(name) && tables_->ports.contains(name) && slot < fds.size()) {
                fresh.emplace(name, duplicate_of(fds[slot]));
            }
        }
        threads_[slot]->serve(std::move(fresh), accept);
    }
    for (auto it = handed_.begin(); it != handed_.end();) {
        it = tables_->ports.contains(it->first) ? std::next(it) : handed_.erase(it);
    }
    for (const auto& [name, fds] : sockets_) {
        if (tables_->ports.contains(name)) {
            handed_[name] = true;
        }
    }
}

void Worker::drain(std::uint32_t deadline_ms) {
    if (draining_) {
        return;
    }
    draining_ = true;
    log::info("draining for at most {} ms", deadline_ms);
    sockets_.clear();  // if nobody else has them, who comes now is refused rather than left in a queue
    for (auto& thread : threads_) {
        thread->drain(std::min<ring::Duration>(proxy::kDrainWait, std::chrono::milliseconds(deadline_ms / 2)));
    }
    loop_->spawn(wait_for_drain(loop_->after(std::chrono::milliseconds(deadline_ms))));
}

ring::Task<> Worker::wait_for_drain(ring::Time deadline) {
    std::uint64_t open = 0;
    do {
        co_await loop_->sleep(std::chrono::milliseconds(20));
        open = 0;
        for (const auto& thread : threads_) {
            open += thread->open();
        }
    } while (open != 0 && loop_->now() < deadline);
    if (open != 0) {
        log::warn("{} connections had not ended by the deadline", open);
        for (std::size_t slot = 0; slot < threads_.size(); ++slot) {
            stats_->slot[slot].reasons[static_cast<std::size_t>(Reason::draining)].fetch_add(threads_[slot]->open(), std::memory_order_relaxed);
        }
    }
    loop_->stop();
}

}  // namespace penstock::worker
