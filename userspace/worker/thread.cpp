// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/thread.hpp"

#include <cerrno>

#include "userspace/base/log.hpp"
#include "userspace/proxy/ports.hpp"

namespace penstock::worker {

Result<std::unique_ptr<Thread>> Thread::start(const ring::Options& options, bool kernel_tls, StatsPage& page, std::uint32_t slot, proxy::SharedPage& shared,
                                              const proxy::NewestTables& newest, proxy::LineWriter& log) {
    std::unique_ptr<Thread> thread(new Thread(page, slot, shared, newest, log));
    std::promise<Status> ready;
    auto waiting = ready.get_future();
    thread->thread_ = std::thread([&thread_ref = *thread, options, kernel_tls, &ready] { thread_ref.run(options, kernel_tls, [&ready](Status status) { ready.set_value(std::move(status)); }); });
    PST_TRY(waiting.get());
    thread->started_ = true;
    return thread;
}

void Thread::run(const ring::Options& options, bool kernel_tls, std::function<void(Status)> ready) {
    auto loop = ring::Loop::create(options);
    if (!loop.ok()) {
        ready(std::move(loop).error());
        return;
    }
    loop_ = std::move(*loop);
    context_ = std::make_unique<proxy::Context>(*loop_, stats_, shared_);
    context_->stats_page = &page_;
    context_->newest = &newest_;
    context_->access_log.write_to(&log_);
    context_->ladder.kernel = kernel_tls;
    ready(success());
    loop_->run();
    // All of it dies on the thread that the ring belongs to.
    served_.clear();
    context_.reset();
    let_go_.get_future().wait();  // stop() still uses the loop
    loop_.reset();
}

Thread::~Thread() {
    if (started_) {
        loop_->stop();
        let_go_.set_value();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Thread::serve(SlotSockets fresh, bool accept) {
    auto sockets = std::make_shared<SlotSockets>(std::move(fresh));  // std::function wants what it holds to be copyable
    loop_->post([this, sockets, accept] { take(std::move(*sockets), accept); });
}

void Thread::take(SlotSockets fresh, bool accept) {
    context_->take(context_->tables_now());
    accepting_ = accept;
    stats_.generation.store(context_->tables->generation, std::memory_order_relaxed);
    for (auto it = served_.begin(); it != served_.end();) {
        const bool wanted = context_->tables->ports.contains(it->first) && !fresh.contains(it->first);
        if (!wanted) {
            stop(*it->second);
        }
        it = wanted ? std::next(it) : served_.erase(it);
    }
    for (auto& [name, fd] : fresh) {
        if (context_->tables->ports.contains(name)) {
            auto served = std::make_shared<Served>();
            served->name = name;
            served->waiting = std::move(fd);
            served_.emplace(name, std::move(served));
        }
    }
    for (const auto& [name, served] : served_) {
        if (accepting_ && served->waiting.valid()) {
            begin(served);
        }
    }
}

void Thread::begin(const std::shared_ptr<Served>& served) {
    // Who is accepted in the middle of take() may have brought in tables that do not have it any more.
    const auto port = context_->tables->ports.find(served->name);
    if (port == context_->tables->ports.end()) {
        return;
    }
    if (port->second.mode == proxy::fb::PortMode::Udp) {
        auto bound = loop_->bind(std::move(served->waiting));
        if (!bound.ok()) {
            log::error("{}: {}", served->name, bound.error().report());
            return;
        }
        served->scope = std::make_unique<ring::Scope>(*loop_);
        loop_->spawn(proxy::serve_datagrams(*context_, served->name, std::move(*bound)), *served->scope);
        return;
    }
    auto listener = loop_->listen(std::move(served->waiting));
    if (!listener.ok()) {
        log::error("{}: {}", served->name, listener.error().report());
        return;
    }
    served->listener = std::move(*listener);
    loop_->spawn(accept_from(served));
}

void Thread::stop(Served& served) {
    served.waiting.reset();
    if (served.listener.open()) {
        served.listener.stop();
    }
    if (served.scope != nullptr) {
        served.scope->cancel();
        // The tasks end in this turn or the next; the scope must be there until then.
        loop_->post([scope = std::shared_ptr<ring::Scope>(std::move(served.scope))] {});
    }
}

ring::Task<> Thread::accept_from(std::shared_ptr<Served> served) {
    for (;;) {
        ring::Opened client = co_await served->listener.accept();
        if (!client) {
            break;
        }
        loop_->spawn(serve_one(served->name, std::move(client.socket)));
    }
    served->listener.close();
}

ring::Task<> Thread::serve_one(std::string name, ring::Socket client) {
    open_.fetch_add(1, std::memory_order_relaxed);
    co_await proxy::serve_connection(*context_, std::move(name), std::move(client));
    open_.fetch_sub(1, std::memory_order_relaxed);
}

void Thread::drain(ring::Duration wait) {
    loop_->post([this, wait] {
        for (const auto& [name, served] : served_) {
            stop(*served);
        }
        served_.clear();
        context_->drain(wait);
        loop_->spawn(end_waiting(wait));
    });
}

ring::Task<> Thread::end_waiting(ring::Duration wait) {
    co_await loop_->sleep(wait);
    context_->end_waiting();
}

}  // namespace penstock::worker
