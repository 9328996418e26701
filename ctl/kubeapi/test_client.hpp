// SPDX-License-Identifier: Apache-2.0
// For tests: access to a server, and a client whose server is a function and whose time passes when it is told to.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "ctl/kubeapi/client.hpp"

namespace penstock::kubeapi {

// Without credentials.
inline Access access_to(const std::string& url) {
    Access access;
    access.server = url;
    return access;
}

class TestClient final : public Client {
public:
    using Server = std::function<Result<Answer>(const std::string& path)>;
    explicit TestClient(Server server) : server_(std::move(server)) {}

    void send(Request request, Done done) override {
        ++asked_[request.path.substr(0, request.path.find('?'))];
        after(milliseconds(0), [this, path = std::move(request.path), done = std::move(done)] { done(server_(path)); });
    }
    // A good answer goes on until end_watches().
    std::uint64_t stream(Request request, OnLine /*line*/, Done done) override {
        auto answer = server_(request.path);
        if (answer.ok() && answer->good()) {
            streams_.emplace(++number_, std::move(done));
        } else {
            after(milliseconds(0), [answer = std::move(answer), done = std::move(done)] { done(answer); });
        }
        return number_;
    }
    void end_stream(std::uint64_t number) override { streams_.erase(number); }
    void after(milliseconds delay, Task task) override { tasks_.emplace(now_ + delay, std::move(task)); }
    [[nodiscard]] const ClientCounts& counts() const override { return counts_; }

    void pass(milliseconds time) {
        const milliseconds until = now_ + time;
        while (!tasks_.empty() && tasks_.begin()->first <= until) {
            now_ = tasks_.begin()->first;
            const Task task = std::move(tasks_.begin()->second);
            tasks_.erase(tasks_.begin());
            task();
        }
        now_ = until;
    }
    void end_watches() {
        for (const auto& [number, done] : std::exchange(streams_, {})) {
            done(Answer{.status = 200, .body = {}, .retry_after = {}});
        }
    }
    // Since the last call.
    [[nodiscard]] unsigned asked(const std::string& path) { return std::exchange(asked_[path], 0); }

private:
    Server server_;
    milliseconds now_{0};
    std::multimap<milliseconds, Task> tasks_;
    std::map<std::uint64_t, Done> streams_;
    std::map<std::string, unsigned> asked_;
    std::uint64_t number_ = 0;
    ClientCounts counts_;
};

}  // namespace penstock::kubeapi
