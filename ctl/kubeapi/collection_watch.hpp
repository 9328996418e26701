// SPDX-License-Identifier: Apache-2.0
// Follows one collection for good: a Reflection with a client under it. All of it runs on the client's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/reflection.hpp"

namespace penstock::kubeapi {

class CollectionWatch : public std::enable_shared_from_this<CollectionWatch> {
public:
    // What changed, perhaps nothing, and how the following stands.
    using Tell = std::function<void(Batch, const Reflection&)>;

    // `collection`: "/api/v1/services". Call it on the client's thread, or before it has anything else to do. The client outlives the work: end
    // the client first.
    static std::shared_ptr<CollectionWatch> start(Client& client, std::string collection, Reflection reflection, Tell tell);

    // The server answers others again: if this one waits after a failure, it tries now (but not before the server asked it to).
    void hurry();
    // Lists anew and goes on from there, for who does not trust events. A wait after a failure is waited all the same.
    void restart();
    // Nothing is told any more.
    void end();

private:
    CollectionWatch(Client& client, std::string collection, Reflection reflection, Tell tell);
    void step();
    void go_after(milliseconds delay);
    void list(const Reflection::Next& next);
    void watch(const Reflection::Next& next);
    void took(std::string_view line, bool last);
    void watch_ended(const Result<Answer>& answer);
    void let_go();
    void hand_on();

    Client& client_;
    const std::string collection_;
    Reflection reflection_;
    Tell tell_;
    Batch batch_;
    Reflection::Next next_;      // what is waited for, or runs
    Time asked_until_{};         // by the server
    std::uint64_t turn_ = 0;     // the newest wait counts, and the newest watch
    std::optional<std::uint64_t> stream_;  // of the watch that runs
    Time began_{};               // it
    bool waiting_ = false;
    bool ended_ = false;
};

}  // namespace penstock::kubeapi
